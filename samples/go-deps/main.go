package main

import "github.com/google/uuid"

// Handler derives a stable id from a name.
func Handler(event map[string]interface{}) (interface{}, error) {
	name, ok := event["name"].(string)
	if !ok {
		name = "world"
	}
	id := uuid.NewSHA1(uuid.NameSpaceDNS, []byte(name))
	return map[string]interface{}{"name": name, "id": id.String()}, nil
}

package main

// Handler greets the caller by name.
func Handler(event map[string]interface{}) (interface{}, error) {
	name, ok := event["name"].(string)
	if !ok {
		name = "world"
	}
	return map[string]interface{}{"message": "Hello, " + name + "!"}, nil
}

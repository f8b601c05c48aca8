// A CloudEvent as a value: attributes in their text form and the data as bytes.
//
// An empty string means that the attribute is absent: the specification allows no empty required or
// optional attribute. Extensions keep their order; they may be empty.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"

namespace hearth::event {

struct Attribute {
  std::string name;
  std::string value;

  bool operator==(const Attribute&) const = default;
};

struct CloudEvent {
  std::string id;
  std::string source;
  std::string specversion = "1.0";
  std::string type;
  std::string datacontenttype;
  std::string dataschema;
  std::string subject;
  std::string time;
  std::vector<Attribute> extensions;
  std::string data;

  bool operator==(const CloudEvent&) const = default;

  // Any attribute by its name, extensions too; nullopt when it is absent.
  std::optional<std::string_view> attribute(std::string_view name) const;
  // Sets an attribute or extension; what it was before is replaced in place.
  void set(std::string_view name, std::string value);
  void remove_extension(std::string_view name);
};

// The names of the specification, in the order in which they are written.
inline constexpr std::string_view kContextAttributes[] = {
    "specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time"};

// Lower-case letters and digits only, not empty, not "data".
bool is_attribute_name(std::string_view name);

// kInvalid that names the attribute (Error::fields holds it as well).
Status validate(const CloudEvent& event);

// The error that validate() and the bindings use: "attribute \"source\": is empty".
Error attribute_error(std::string_view name, std::string_view problem);

// True for "application/json", "text/json; charset=utf-8" and "…+json".
bool is_json_media_type(std::string_view media_type);

}  // namespace hearth::event

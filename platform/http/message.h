// HTTP heads as values. Headers keeps all names and values in one buffer whose capacity survives
// clear(): a connection that is reused allocates nothing per request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::http {

class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  void add(std::string_view name, std::string_view value);
  // Replaces all fields of that name.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  void clear();

  // The first field of that name, ignoring case. Views live until the next change.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view get_or(std::string_view name, std::string_view fallback) const;
  bool contains(std::string_view name) const { return get(name).has_value(); }
  std::size_t count(std::string_view name) const;

  std::size_t size() const { return entries_.size(); }
  Field at(std::size_t index) const;

  class Iterator {
   public:
    Iterator(const Headers& headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return headers_.at(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Headers& headers_;
    std::size_t index_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  struct Entry {
    std::uint32_t name_at;
    std::uint32_t name_size;
    std::uint32_t value_at;
    std::uint32_t value_size;
  };
  std::string buffer_;
  std::vector<Entry> entries_;
};

struct RequestHead {
  std::string method;
  std::string target;  // as sent: path and query, or "*"
  Headers headers;

  std::string_view path() const;   // before '?'
  std::string_view query() const;  // after '?', may be empty
  // The Host field's name, lower case.
  std::string host() const;
};

struct ResponseHead {
  int status = 200;
  Headers headers;
};

// The name of a Host field: "a.example" of "a.example:80" and of "a.example."; brackets stay.
std::string_view host_name(std::string_view field);

// "Not Found"; "Unknown" for codes without a registered phrase.
std::string_view reason_phrase(int status);

struct QueryParameter {
  std::string name;
  std::string value;
  bool has_value = false;  // "a=" has one, "a" has none
};
// Decoded, in order; nullopt on a bad percent escape.
std::optional<std::vector<QueryParameter>> parse_query(std::string_view query);

// Names that concern one hop only and are never forwarded (RFC 9110 §7.6.1).
bool is_hop_by_hop(std::string_view name);
// True for a token of RFC 9110; header names and methods.
bool is_token(std::string_view text);
// An LF without a CR before it: no line of HTTP/1.1 ends like that.
bool has_bare_lf(std::string_view text);
// No CR, LF or NUL: safe to write as a header value.
bool is_field_value(std::string_view text);

}  // namespace hearth::http

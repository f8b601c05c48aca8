#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>

#include <yaml.h>

#include "platform/base/yaml.h"
#include "platform/base/yaml_scalar.h"

namespace hearth::base {
namespace {

// A literal block gives back what ends with one line feed and begins with a letter.
bool fits_literal(std::string_view text) {
  if (text.size() < 2 || !text.ends_with('\n')) return false;
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
  };
  return !is_blank(text.front()) && !is_blank(text[text.size() - 2]) &&
         std::ranges::none_of(text, is_control);
}

// go-yaml's choice; libyaml quotes by itself what a plain scalar can't hold. "<<" would be read as
// a merge key.
yaml_scalar_style_t style_of(const std::string& text) {
  if (fits_literal(text)) return YAML_LITERAL_SCALAR_STYLE;
  const bool plain = !text.contains('\n') && text != "<<" && plain_scalar(text).is_string();
  return plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

class Emitter {
 public:
  Emitter() {
    if (yaml_emitter_initialize(&emitter_) == 0) throw std::bad_alloc();
    yaml_emitter_set_output(&emitter_, append, &out_);
    yaml_emitter_set_unicode(&emitter_, 1);
    yaml_emitter_set_width(&emitter_, -1);
  }
  ~Emitter() { yaml_emitter_delete(&emitter_); }
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;

  std::string document(const Json& value) {
    yaml_event_t event;
    send(event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    send(event, yaml_document_start_event_initialize(&event, nullptr, nullptr, nullptr, 1));
    emit(value);
    send(event, yaml_document_end_event_initialize(&event, 1));
    send(event, yaml_stream_end_event_initialize(&event));
    return std::move(out_);
  }

 private:
  static int append(void* out, unsigned char* bytes, std::size_t size) {
    static_cast<std::string*>(out)->append(reinterpret_cast<const char*>(bytes),
                                           size);  // NOLINT: libyaml's characters are bytes
    return 1;
  }

  // libyaml takes the event over, also when it fails.
  void send(yaml_event_t& event, int initialized) {
    if (initialized == 0) throw std::invalid_argument("YAML: a text is not UTF-8");
    if (yaml_emitter_emit(&emitter_, &event) == 0) {
      throw std::runtime_error(std::string("YAML: ") + emitter_.problem);
    }
  }

  void emit(const Json& value) {
    switch (value.type()) {
      case Json::value_t::object:
        return mapping(value);
      case Json::value_t::array:
        return sequence(value);
      case Json::value_t::string: {
        const auto& text = value.get_ref<const std::string&>();
        return scalar(text, style_of(text));
      }
      default:
        return scalar(value.dump(), YAML_PLAIN_SCALAR_STYLE);
    }
  }

  void mapping(const Json& value) {
    const auto style = value.empty() ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
    yaml_event_t event;
    send(event, yaml_mapping_start_event_initialize(&event, nullptr, nullptr, 1, style));
    for (const auto& [key, item] : value.items()) {
      const auto key_style = style_of(key);
      scalar(key,
             key_style == YAML_LITERAL_SCALAR_STYLE ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : key_style);
      emit(item);
    }
    send(event, yaml_mapping_end_event_initialize(&event));
  }

  void sequence(const Json& value) {
    const auto style = value.empty() ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
    yaml_event_t event;
    send(event, yaml_sequence_start_event_initialize(&event, nullptr, nullptr, 1, style));
    for (const Json& item : value) emit(item);
    send(event, yaml_sequence_end_event_initialize(&event));
  }

  void scalar(const std::string& text, yaml_scalar_style_t style) {
    yaml_event_t event;
    // "" is the default tag both for plain and for quoted: none is written.
    const auto* bytes = reinterpret_cast<const yaml_char_t*>(text.data());  // NOLINT: as above
    send(event, yaml_scalar_event_initialize(&event, nullptr, nullptr, bytes,
                                             static_cast<int>(text.size()), 1, 1, style));
  }

  yaml_emitter_t emitter_{};
  std::string out_;
};

}  // namespace

std::string dump_yaml(const Json& value) { return Emitter().document(value); }

}  // namespace hearth::base

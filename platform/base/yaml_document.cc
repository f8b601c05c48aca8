#include "platform/base/yaml_document.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <yaml.h>

#include "platform/base/limits.h"
#include "platform/base/yaml_json.h"

namespace hearth::base {
namespace {

TextPosition position(const yaml_mark_t& mark) { return {mark.line + 1, mark.column + 1}; }

const char* text_of(const yaml_char_t* text) {
  return reinterpret_cast<const char*>(text);  // NOLINT: libyaml's characters are bytes
}

Error invalid(std::string_view why, TextPosition at, std::string_view origin) {
  const std::string where = place_text(at, origin);
  return Error{Code::kBadRequest,
               origin.empty() ? fmt::format("invalid YAML: {}: {}", where, why)
                              : fmt::format("{}: invalid YAML: {}", where, why),
               {}};
}

class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  yaml_event_t* operator->() { return &event_; }
  yaml_event_t* get() { return &event_; }

 private:
  yaml_event_t event_{};
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    // Without this a byte order mark would choose the encoding.
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &parser_, reinterpret_cast<const unsigned char*>(text.data()),  // NOLINT: as above
        text.size());
  }
  ~Parser() { yaml_parser_delete(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool next(Event& event) { return yaml_parser_parse(&parser_, event.get()) != 0; }

  TextPosition error_place() const {
    if (parser_.error != YAML_READER_ERROR) return position(parser_.problem_mark);
    // The reader knows only the byte.
    const auto before = text_.substr(0, parser_.problem_offset);
    const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
    const auto begin = before.rfind('\n');
    return {line, before.size() - (begin == before.npos ? 0 : begin + 1) + 1};
  }
  std::string_view problem() const { return parser_.problem == nullptr ? "" : parser_.problem; }

 private:
  std::string_view text_;
  yaml_parser_t parser_{};
};

// Builds one document after another from the parser's events.
class Composer {
 public:
  Composer(std::string_view text, std::string_view origin) : parser_(text), origin_(origin) {}

  Result<std::vector<YamlDocument>> run() {
    while (true) {
      Event event;
      if (!parser_.next(event)) return fail(syntax_error());
      HEARTH_CHECK_OK(take(event));
      if (event->type == YAML_STREAM_END_EVENT) return std::move(documents_);
    }
  }

 private:
  Status take(Event& event) {
    switch (event->type) {
      case YAML_DOCUMENT_START_EVENT:
        document_ = {};
        anchors_.clear();
        return {};
      case YAML_DOCUMENT_END_EVENT:
        end_document();
        return {};
      case YAML_ALIAS_EVENT:
        return alias(event);
      case YAML_SCALAR_EVENT:
        return scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        return open(event, YamlNode::Kind::kSequence, event->data.sequence_start.anchor);
      case YAML_MAPPING_START_EVENT:
        return open(event, YamlNode::Kind::kMapping, event->data.mapping_start.anchor);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        return {};
      default:
        return {};
    }
  }

  void end_document() {
    const YamlNode& root = document_.root();
    const bool empty = root.kind == YamlNode::Kind::kScalar && root.plain && root.text.empty();
    if (!empty) documents_.push_back(std::move(document_));
  }

  Status alias(Event& event) {
    const std::string_view name = text_of(event->data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) return refuse(event, fmt::format("unknown anchor '{}'", name));
    if (std::ranges::find(open_, found->second) != open_.end()) {
      return refuse(event, fmt::format("anchor '{}' value contains itself", name));
    }
    document_.nodes[open_.back()].items.push_back(found->second);
    ++document_.aliases;
    return {};
  }

  Status scalar(Event& event) {
    const auto& data = event->data.scalar;
    HEARTH_TRY(index, add(event, YamlNode::Kind::kScalar, data.anchor));
    YamlNode& node = document_.nodes[index];
    node.text.assign(text_of(data.value), data.length);
    node.plain = data.style == YAML_PLAIN_SCALAR_STYLE && data.tag == nullptr;
    return {};
  }

  Status open(Event& event, YamlNode::Kind kind, const yaml_char_t* anchor) {
    if (open_.size() > limits::kJsonDepthMax) return refuse(event, "YAML is nested too deeply");
    HEARTH_TRY(index, add(event, kind, anchor));
    open_.push_back(index);
    return {};
  }

  void close() { open_.pop_back(); }

  Result<std::size_t> add(Event& event, YamlNode::Kind kind, const yaml_char_t* anchor) {
    if (++nodes_ > limits::kYamlNodesMax) {
      return fail(Code::kTooLarge, "YAML text has too many nodes");
    }
    const std::size_t index = document_.nodes.size();
    document_.nodes.push_back(
        {.kind = kind, .plain = false, .text = {}, .at = position(event->start_mark), .items = {}});
    if (!open_.empty()) document_.nodes[open_.back()].items.push_back(index);
    if (anchor != nullptr) anchors_[text_of(anchor)] = index;
    return index;
  }

  Status refuse(Event& event, std::string_view why) const {
    return fail(invalid(why, position(event->start_mark), origin_));
  }

  Error syntax_error() const { return invalid(parser_.problem(), parser_.error_place(), origin_); }

  Parser parser_;
  std::string_view origin_;
  std::vector<YamlDocument> documents_;
  YamlDocument document_;
  std::vector<std::size_t> open_;
  // Ordered: the names that collide in a hash are known, and a text could consist of them.
  std::map<std::string, std::size_t, std::less<>> anchors_;
  std::size_t nodes_ = 0;
};

// Without its break, which is any of YAML's.
std::string_view take_line(std::string_view& rest) {
  constexpr std::array<std::string_view, 6> kBreaks = {"\r\n",     "\n",           "\r",
                                                       "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
  for (auto end = rest.find_first_of("\n\r\xC2\xE2"); end != rest.npos;
       end = rest.find_first_of("\n\r\xC2\xE2", end + 1)) {
    const std::string_view line = rest.substr(0, end);
    const auto found = std::ranges::find_if(
        kBreaks, [after = rest.substr(end)](auto each) { return after.starts_with(each); });
    if (found == kBreaks.end()) continue;
    rest.remove_prefix(end + found->size());
    return line;
  }
  return std::exchange(rest, {});
}

// Before libyaml sees them: it compares each %TAG directive with each before it, looks through them
// for each tag and copies what it finds. They end only at a "---"; any other %TAG line, which can
// stand in quotes, is counted with them, for we don't know better here.
Status check_directives(std::string_view text, std::string_view origin) {
  if (!text.contains("%TAG")) return {};
  std::size_t bytes = 0;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (line.starts_with("---")) bytes = 0;
    if (line.starts_with("%TAG")) bytes += line.size();
    if (bytes > limits::kYamlDirectivesBytesMax) {
      return fail(invalid(
          fmt::format("%TAG directives have more than {} bytes", limits::kYamlDirectivesBytesMax),
          {.line = number, .column = 1}, origin));
    }
  }
  return {};
}

Result<std::vector<YamlDocument>> compose(std::string_view text, std::string_view origin) {
  HEARTH_CHECK_OK(check_directives(text, origin));
  return Composer(text, origin).run();
}

}  // namespace

Result<std::vector<YamlDocument>> parse_yaml_nodes(std::string_view text, std::string_view origin) {
  if (text.size() > limits::kYamlBytesMax) {
    return fail(Code::kTooLarge,
                fmt::format("{}{}YAML of {} bytes is over the limit of {}", origin,
                            origin.empty() ? "" : ": ", text.size(), limits::kYamlBytesMax));
  }
  // What editors of Windows begin a file with.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos || text[begin] != '{') return compose(text, origin);
  auto json = parse_json_nodes(text, origin);
  if (json) return json;
  auto yaml = compose(text, origin);
  // A key in quotes: it was meant as JSON, and YAML's reasons would confuse.
  const auto key = text.find_first_not_of(" \t\r\n", begin + 1);
  return yaml || key == text.npos || text[key] != '"' ? std::move(yaml) : std::move(json);
}

std::string place_text(TextPosition place, std::string_view origin) {
  return origin.empty() ? fmt::format("line {}, column {}", place.line, place.column)
                        : fmt::format("{}:{}:{}", origin, place.line, place.column);
}

}  // namespace hearth::base

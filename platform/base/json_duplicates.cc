#include "platform/base/json_duplicates.h"

#include <algorithm>
#include <set>

#include "platform/base/json.h"

namespace hearth::base {
namespace {

// nlohmann's events of a text, one call a token; true: go on.
class Finder : public nlohmann::json_sax<Json> {
 public:
  Finder(std::vector<std::string>& found, std::size_t most) : found_(found), most_(most) {}

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return enter(true); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(false); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.name = name;
    if (level.names.insert(name).second) return true;
    const std::string path = path_of_member();
    if (std::ranges::find(found_, path) == found_.end()) found_.push_back(path);
    return found_.size() < most_;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 private:
  struct Level {
    bool is_object = false;
    std::set<std::string> names;
    std::string name;       // the member under way
    std::size_t index = 0;  // the item under way
  };

  bool value() {
    if (!levels_.empty() && !levels_.back().is_object) ++levels_.back().index;
    return true;
  }
  bool enter(bool is_object) {
    levels_.push_back({is_object, {}, {}, 0});
    return true;
  }
  bool leave() {
    levels_.pop_back();
    return value();
  }
  std::string path_of_member() const {
    std::string out;
    for (const Level& level : levels_) {
      if (!level.is_object)
        out += "[" + std::to_string(level.index) + "]";
      else
        out += (out.empty() ? "" : ".") + level.name;
    }
    return out;
  }

  std::vector<std::string>& found_;
  std::size_t most_;
  std::vector<Level> levels_;
};

}  // namespace

std::vector<std::string> duplicate_members(std::string_view text, std::size_t most) {
  std::vector<std::string> found;
  Finder finder(found, most);
  (void)Json::sax_parse(text, &finder);
  return found;
}

}  // namespace hearth::base

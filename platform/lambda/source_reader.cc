#include "platform/lambda/source_reader.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/lambda/object_location.h"
#include "platform/resource/well_known.h"

namespace hearth::lambda {

namespace {

bool is_in_objects(SourceType type) {
  return type == SourceType::kMinio || type == SourceType::kS3 || type == SourceType::kGcs;
}

// The reference renames whatever one object there is. Here a file must be of the language, unless
// its name says nothing and the spec names that very object.
SourceTree with_named_object(SourceTree tree, const Source& source, const std::string& main_file) {
  const std::string file = source.key.substr(source.key.rfind('/') + 1);
  if (file.empty() || file.contains('.') || tree.size() != 1 || !tree.contains(file)) return tree;
  auto node = tree.extract(file);
  node.key() = main_file;
  tree.insert(std::move(node));
  return tree;
}

}  // namespace

SourceReader::SourceReader(resource::Store& store, const Languages& languages, SourceAccess access,
                           std::string gcs_endpoint)
    : store_(store),
      languages_(languages),
      access_(std::move(access)),
      gcs_endpoint_(std::move(gcs_endpoint)) {}

Task<Result<SourceTree>> SourceReader::read(std::string ns, FunctionSpec spec) {
  const Source& source = spec.source;
  HEARTH_CO_TRY(language, languages_.find(spec.language));
  if (source.type == SourceType::kInline) co_return SourceTree{{language->main_file, source.code}};
  if (is_in_objects(source.type) && access_.objects) {
    HEARTH_CO_TRY(where, co_await locate(std::move(ns), source));
    HEARTH_CO_TRY(tree, co_await access_.objects(std::move(where)));
    co_return with_named_object(std::move(tree), source, language->main_file);
  }
  if (source.type == SourceType::kGit && access_.git) {
    HEARTH_CO_TRY(secret, co_await read_secret(std::move(ns), source.secret));
    co_return co_await access_.git({source.url, source.ref, source.path, std::move(secret)});
  }
  co_return fail(Code::kUnsupported, fmt::format("sources of type \"{}\" can't be fetched here",
                                                 source_type_name(source.type)));
}

Task<std::string> SourceReader::version(std::string ns, FunctionSpec spec) {
  if (!is_in_objects(spec.source.type) || !access_.objects_version) co_return std::string();
  auto where = co_await locate(std::move(ns), spec.source);
  if (!where) co_return std::string();
  auto version = co_await access_.objects_version(std::move(*where));
  co_return version ? std::move(*version) : std::string();
}

Task<Result<ObjectLocation>> SourceReader::locate(std::string ns, Source source) {
  HEARTH_CO_TRY(secret, co_await read_secret(std::move(ns), source.secret));
  co_return object_location(source, secret, gcs_endpoint_);
}

// Nothing for a source that names none.
Task<Result<std::map<std::string, std::string>>> SourceReader::read_secret(std::string ns,
                                                                           std::string name) {
  std::map<std::string, std::string> out;
  if (name.empty()) co_return out;
  auto object = co_await store_.get(resource::kSecrets, {std::move(ns), std::move(name)});
  if (!object) co_return fail(with_context(object.error(), "credentials of the source"));
  if (const Json* data = base::find(**object, {"data"}); data != nullptr && data->is_object()) {
    for (const auto& [key, value] : data->items()) {
      if (!value.is_string()) continue;
      if (auto decoded = base::from_base64(value.get<std::string>()))
        out[key] = std::move(*decoded);
    }
  }
  co_return out;
}

}  // namespace hearth::lambda

// hearth render: the objects that a function becomes in a cluster. Needs no daemon.
#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/manifests.h"
#include "cli/registry_flags.h"
#include "platform/base/embedded_files.h"
#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/yaml.h"
#include "platform/lambda/function_validation.h"
#include "platform/resource/definition.h"
#include "platform/resource/schema.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

struct RenderFlags {
  std::vector<std::string> files;
  std::string ns = "default";
  std::string output = "yaml";
  std::string source;
  std::string languages;
  lambda::BuildSettings build;
  lambda::RenderSettings render;
};

// What the API server would do before it stores the function.
Status admit(Json& function) {
  const auto text = base::embedded_file("config/crds/lambda.knative.io_lambdafunctions.yaml");
  if (!text) return fail(Code::kInternal, "the LambdaFunction's definition is not in the binary");
  HEARTH_TRY(crd, base::parse_yaml(*text));
  HEARTH_TRY(definition, resource::definition_from_crd(crd));
  HEARTH_CHECK_OK(resource::apply_defaults(*definition.schema, function));
  Json pruned = function;
  const auto unknown = resource::prune_unknown(*definition.schema, pruned);
  if (!unknown.empty()) {
    return fail(Code::kInvalid, fmt::format("unknown field \"{}\"", unknown.front()));
  }
  auto errors = resource::validate(*definition.schema, function);
  if (errors.empty()) errors = lambda::validate_function(function);
  if (errors.empty()) return {};
  return fail(
      resource::invalid_object("LambdaFunction", resource::name_of(function), std::move(errors)));
}

Result<lambda::SourceTree> read_source_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(Code::kNotFound, fmt::format("--source {}: no such folder", folder.string()));
  }
  lambda::SourceTree tree;
  std::size_t total = 0;
  for (auto it = fs::recursive_directory_iterator(folder, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file() || it->is_symlink()) continue;
    HEARTH_TRY(bytes, base::read_file(it->path(), limits::kContextBytesMax));
    total += bytes.size();
    if (total > limits::kContextBytesMax || tree.size() >= limits::kContextFilesMax) {
      return fail(Code::kTooLarge, fmt::format("--source {}: too much", folder.string()));
    }
    tree[fs::relative(it->path(), folder).generic_string()] = std::move(bytes);
  }
  if (error) return fail(Code::kInternal, "--source: " + error.message());
  return tree;
}

Result<lambda::SourceTree> source_of(const lambda::FunctionSpec& spec, const RenderFlags& flags,
                                     const lambda::Languages& languages) {
  if (!flags.source.empty()) return read_source_folder(flags.source);
  if (spec.source.type != lambda::SourceType::kInline) {
    return fail(Code::kInvalid,
                fmt::format("its source is of type {}: give the code with --source DIR",
                            lambda::source_type_name(spec.source.type)));
  }
  HEARTH_TRY(language, languages.find(spec.language));
  return lambda::SourceTree{{language->main_file, spec.source.code}};
}

Status render_function(Json function, const RenderFlags& flags, const lambda::Languages& languages,
                       std::vector<Json>& out) {
  HEARTH_CHECK_OK(admit(function));
  const lambda::FunctionSpec spec = lambda::parse_function(function);
  const std::string ns = resource::namespace_of(function);
  if (spec.eventing_enabled) {
    out.push_back(lambda::render_broker(ns, spec));
    out.push_back(lambda::render_trigger(function, spec));
  }
  std::string image = spec.source.image;
  std::string handler;
  if (spec.source.type != lambda::SourceType::kImage) {
    HEARTH_TRY(language, languages.find(spec.language));
    HEARTH_TRY(tree, source_of(spec, flags, languages));
    HEARTH_TRY(plan, lambda::plan_build(ns, resource::name_of(function), spec, languages,
                                        std::move(tree), flags.build));
    if (const std::string uri = lambda::context_uri(function, plan, flags.render); uri.empty())
      out.push_back(lambda::render_build_context(function, plan));
    else
      std::cerr << fmt::format("the build context ({} bytes) is to be at {}\n",
                               plan.context_tar_gz.size(), uri);
    out.push_back(lambda::render_build_job(function, spec, plan, 1, flags.render));
    image = plan.pull_image;
    handler = spec.handler.empty() ? language->default_handler : spec.handler;
  }
  out.push_back(lambda::render_service_account(ns));
  out.push_back(lambda::render_service(function, spec, image, handler, flags.render));
  return {};
}

void print(const std::vector<Json>& objects, const std::string& output) {
  if (output == "json") {
    std::cout << base::dump_json_pretty(
                     {{"apiVersion", "v1"}, {"kind", "List"}, {"items", objects}})
              << "\n";
    return;
  }
  for (const Json& object : objects) std::cout << "---\n" << base::dump_yaml(object);
}

Status run(const RenderFlags& flags) {
  HEARTH_TRY(manifests, load_manifests(flags.files));
  HEARTH_TRY(languages, lambda::Languages::load(flags.languages));
  std::vector<Json> objects;
  std::size_t functions = 0;
  for (Manifest& manifest : manifests) {
    const Json& object = manifest.object;
    if (base::string_at(object, {"kind"}) != resource::kFunctions.kind) continue;
    ++functions;
    manifest.object["metadata"]["namespace"] =
        namespace_for(manifest, resource::kFunctions, flags.ns);
    const std::string name = resource::name_of(object);
    const Status rendered = render_function(std::move(manifest.object), flags, languages, objects);
    if (!rendered) {
      return fail(with_context(rendered.error(),
                               fmt::format("{}: LambdaFunction \"{}\"", manifest.origin, name)));
    }
  }
  if (functions == 0) return fail(Code::kInvalid, "there is no LambdaFunction among the documents");
  if (functions > 1 && !flags.source.empty()) {
    return fail(Code::kInvalid, "--source holds the code of one function; there are several");
  }
  for (Json& object : objects) {
    // An owner needs the uid that only a stored function has.
    object["metadata"].erase("ownerReferences");
  }
  print(objects, flags.output);
  return {};
}

}  // namespace

void register_render(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<RenderFlags>();
  CLI::App* render =
      app.add_subcommand("render", "Show the objects that a function becomes in a cluster");
  render->add_option("-f,--filename", flags->files, "File, folder or -; repeatable")
      ->required()
      ->allow_extra_args(false)
      ->type_name("PATH");
  render->add_option("-n,--namespace", flags->ns, "Namespace of functions that name none")
      ->envname("HEARTH_NAMESPACE")
      ->capture_default_str();
  render->add_option("-o,--output", flags->output, "yaml or json")
      ->check(CLI::IsMember({"yaml", "json"}))
      ->capture_default_str();
  render->add_option("--source", flags->source, "Folder with the function's code")
      ->type_name("DIR");
  render
      ->add_option("--languages", flags->languages,
                   "Folder of languages that add to the built-in ones")
      ->envname("HEARTH_LANGUAGES")
      ->type_name("DIR");
  add_registry_flags(*render, flags->build, flags->render);
  render->footer(
      "Examples:\n"
      "  hearth render -f samples/hello-python/function.yaml\n"
      "  hearth render -f function.yaml --source . -o json --push-registry ghcr.io/ada");
  render->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli

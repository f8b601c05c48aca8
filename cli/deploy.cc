// hearth deploy: a folder of this machine becomes a function: packed, uploaded, applied.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/apply.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/folder_archive.h"
#include "cli/s3_endpoint.h"
#include "cli/state_location.h"
#include "cli/wait.h"
#include "cli/wait_flags.h"
#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifestName = "function.yaml";
constexpr const char* kBucketName = "lambda-functions";  // the reference's

struct DeployFlags {
  Target target;
  std::string folder = ".";
  std::string name;
  std::string language;
  std::string version;
  std::string handler;
  WaitFlags waiting;
};

struct Detected {
  const char* file;
  const char* language;
  const char* version;
};
constexpr std::array<Detected, 6> kDetected{{{"main.py", "python", "3.11"},
                                             {"requirements.txt", "python", "3.11"},
                                             {"index.js", "nodejs", "20"},
                                             {"package.json", "nodejs", "20"},
                                             {"main.go", "go", "1.22"},
                                             {"go.mod", "go", "1.22"}}};

// "My Function_2" → "my-function-2": a name that Kubernetes takes.
std::string name_of_folder(const fs::path& folder) {
  std::error_code error;
  std::string out;
  for (const char c : base::lower(fs::canonical(folder, error).filename().string())) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (fits || (!out.empty() && out.back() != '-')) out += fits ? c : '-';
  }
  while (out.ends_with('-')) out.pop_back();
  return out.substr(0, 50);
}

Result<Manifest> read_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifestName;
  std::error_code error;
  if (!fs::exists(file, error)) {
    return Manifest{
        .origin = folder.string(),
        .object = {{"apiVersion", "lambda.knative.io/v1alpha1"}, {"kind", "LambdaFunction"}}};
  }
  HEARTH_TRY(manifests, load_manifests({file.string()}));
  if (manifests.size() != 1 || base::string_at(manifests[0].object, {"kind"}) != "LambdaFunction") {
    return fail(Code::kInvalid,
                fmt::format("{}: expected one LambdaFunction and nothing else", file.string()));
  }
  HEARTH_CHECK_OK(check_is_mapping(manifests[0], {"spec"}));
  HEARTH_CHECK_OK(check_is_mapping(manifests[0], {"spec", "runtime"}));
  return std::move(manifests[0]);
}

Status set_runtime(const DeployFlags& flags, const FolderArchive& archive, Json& object) {
  Json& runtime = object["spec"]["runtime"];
  if (!flags.language.empty()) runtime["language"] = flags.language;
  if (!flags.version.empty()) runtime["version"] = flags.version;
  if (!flags.handler.empty()) runtime["handler"] = flags.handler;
  for (const Detected& one : kDetected) {
    const bool fits = runtime.contains("language")
                          ? runtime["language"] == one.language
                          : std::ranges::find(archive.files, one.file) != archive.files.end();
    if (!fits) continue;
    if (!runtime.contains("language")) runtime["language"] = one.language;
    if (!runtime.contains("version")) runtime["version"] = one.version;
  }
  if (runtime.contains("language")) return {};
  return fail(Code::kInvalid,
              fmt::format("{} has no main.py, index.js or main.go: name the language with "
                          "--language, or write a {}",
                          flags.folder, kManifestName));
}

// Makes the bucket when it isn't there.
Status upload(S3Client& store, const S3Location& object, const std::string& bytes) {
  const std::string type = "application/gzip";
  const Status stored = store.put(object, bytes, type);
  if (stored || stored.error().code != Code::kNotFound) return stored;
  const Status made = store.make_bucket(object.bucket);
  // kConflict: another deploy has made it in between.
  if (!made && made.error().code != Code::kConflict) return made;
  return store.put(object, bytes, type);
}

// Archives that no spec names any more; the one before stays, for it may be in use this moment.
// What can't be removed now waits for the next deployment.
void remove_old(S3Client& store, const std::string& prefix, const std::string& current,
                const std::string& before) {
  const auto archives = store.list_all({kBucketName, prefix});
  if (!archives) return;
  for (const s3::ListedObject& one : *archives) {
    if (one.key != current && one.key != before) (void)store.remove({kBucketName, one.key});
  }
}

Status deploy(const DeployFlags& flags) {
  HEARTH_TRY(manifest, read_manifest(flags.folder));
  Json& object = manifest.object;
  HEARTH_TRY(archive, pack_folder(flags.folder, kManifestName));
  if (!flags.name.empty()) object["metadata"]["name"] = flags.name;
  std::string name = base::string_at(object, {"metadata", "name"});
  if (name.empty()) object["metadata"]["name"] = name = name_of_folder(flags.folder);
  HEARTH_CHECK_OK(set_runtime(flags, archive, object));
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(daemon);
  HEARTH_TRY(kinds, Kinds::load(api));
  HEARTH_TRY(kind, kinds.find("lambdafunctions"));
  const std::string ns = namespace_for(manifest, kind.type, flags.target.ns);
  const std::string prefix = fmt::format("deploy/{}/{}/", ns, name);
  const std::string key = prefix + archive.hash.substr(0, 16) + ".tar.gz";
  S3Client store(store_of(daemon));
  HEARTH_CHECK_OK(upload(store, {kBucketName, key}, archive.tar_gz));
  std::cerr << fmt::format("{} files, {} bytes packed\n", archive.files.size(),
                           archive.tar_gz.size());
  std::string before;
  if (const auto live = api.get(path_of(kind.type, ns, name))) {
    before = base::string_at(*live, {"spec", "source", "minio", "key"});
  }
  object["spec"]["source"] = {{"type", "minio"},
                              {"minio", {{"bucket", kBucketName}, {"key", key}}}};
  HEARTH_TRY(applied, apply_one(api, kinds, {.ns = flags.target.ns}, manifest));
  remove_old(store, prefix, key, before);
  if (!flags.waiting.wait) return {};
  HEARTH_TRY(timeout, flags.waiting.patience());
  return wait_ready(api, {applied.kind, applied.ns, applied.name}, timeout);
}

}  // namespace

void register_deploy(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DeployFlags>();
  CLI::App* command = app.add_subcommand("deploy", "Make a function of a folder, or update it");
  command->add_option("folder", flags->folder, "Folder with the code; function.yaml in it is used")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--name", flags->name, "Name; else function.yaml's, else the folder's");
  command->add_option("--language", flags->language, "Language; else told from the files");
  command->add_option("--runtime-version", flags->version, "Version of the language");
  command->add_option("--handler", flags->handler, "module.function");
  add_wait_flags(*command, flags->waiting, "Wait until the function is Ready");
  add_target_flags(*command, flags->target);
  command->footer(
      "Examples:\n"
      "  hearth deploy samples/hello-python --wait\n"
      "  hearth deploy . --name orders --handler app.handle");
  command->callback([flags, &exit_code] { exit_code = finish(deploy(*flags)); });
}

}  // namespace hearth::cli

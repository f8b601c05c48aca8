#include "emulator/builder/build_job.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/path_bounds.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDockerfileBytesMax = 1024 * 1024;
constexpr std::size_t kStageFilesMax = 1'000'000;
constexpr std::size_t kLogTextMax = 200;

Error at_line(Error error, const Instruction& item) {
  if (error.message.starts_with("Dockerfile line ")) return error;
  return with_context(std::move(error), fmt::format("Dockerfile line {}: {}", item.line,
                                                    item.original.substr(0, kLogTextMax)));
}

}  // namespace

BuildJob::BuildJob(const blobs::BlobStore& blobs, const BuilderOptions& options,
                   const Machine& machine, BuildRequest request)
    : blobs_(blobs),
      options_(options),
      machine_(machine),
      tools_(machine.tools),
      request_(std::move(request)),
      cache_(options.work_dir / "cache/layers"),
      folder_(options.work_dir / "builds" / base::random_hex(8)) {}

BuildJob::~BuildJob() { clean(); }

void BuildJob::clean() {
  // What can't be removed goes at the next start, or stays.
  (void)base::remove_tree(folder_);
}

void BuildJob::log(std::string_view line) {
  if (request_.log) request_.log(line);
}

void BuildJob::say(const std::string& notice) {
  if (said_.insert(notice).second) log(notice);
}

Result<std::vector<std::string>> BuildJob::prepare() {
  HEARTH_CHECK_OK(base::make_private_directory(folder_));
  // The work folder is private; the trees in it are seen by commands as their root.
  HEARTH_TRY(context, BuildContext::open(request_.context, request_.dockerfile_path, checkpoint()));
  context_ = std::move(context);
  auto text = context_->read(request_.dockerfile_path, kDockerfileBytesMax);
  if (!text) return fail(with_context(text.error(), "reading the Dockerfile"));
  HEARTH_TRY(file, parse_dockerfile(*text));
  file_ = std::move(file);
  HEARTH_CHECK_OK(read_global_args());
  for (Stage& stage : file_.stages) {
    auto image = substitute(stage.from.words[0], global_args_, file_.escape);
    if (!image) return fail(at_line(image.error(), stage.from));
    if (image->empty()) {
      return fail(at_line({Code::kInvalid, "the image name is empty", {}}, stage.from));
    }
    stage.from.words[0] = std::move(*image);
  }
  HEARTH_CHECK_OK(choose_stages());
  std::vector<std::string> names;
  names.reserve(bases_.size());
  for (const auto& [name, unused] : bases_) names.push_back(name);
  return names;
}

Status BuildJob::read_global_args() {
  StageState global;
  const ArgumentSources above{
      .given = request_.build_args, .global = global.args, .escape = file_.escape};
  for (const Instruction& item : file_.global_args) {
    HEARTH_CHECK_OK(check_time());
    const Status applied = apply_metadata(item, above, global);
    if (!applied) return fail(at_line(applied.error(), item));
  }
  global_args_ = std::move(global.args);
  return {};
}

std::optional<std::size_t> BuildJob::stage_index(std::string_view name) const {
  const std::string wanted = base::lower(name);
  for (std::size_t i = 0; i < file_.stages.size(); ++i) {
    if (!file_.stages[i].name.empty() && file_.stages[i].name == wanted) return i;
  }
  return std::nullopt;
}

Status BuildJob::choose_stages() {
  std::size_t target = file_.stages.size() - 1;
  if (!request_.target.empty()) {
    const auto named = stage_index(request_.target);
    if (!named) return fail(Code::kInvalid, fmt::format("no stage named {}", request_.target));
    target = *named;
  }
  HEARTH_CHECK_OK(add_stage(target));
  std::ranges::sort(order_);
  return {};
}

// A stage and what it is built from; stages that nobody needs are left out. Calls itself for each
// stage below: kStagesMax deep at most.
Status BuildJob::add_stage(std::size_t index) {
  if (std::ranges::find(order_, index) != order_.end()) return {};
  const Stage& stage = file_.stages[index];
  order_.push_back(index);
  const std::string& from = stage.from.words[0];
  if (const auto other = stage_index(from); other && *other < index) {
    HEARTH_CHECK_OK(add_stage(*other));
  } else if (from != "scratch") {
    bases_[from];
  }
  for (const Instruction& item : stage.instructions) {
    const auto origin = item.flags.find("from");
    if (item.keyword != Keyword::kCopy || origin == item.flags.end()) continue;
    auto other = stage_index(origin->second);
    if (!other) other = base::parse_int<std::size_t>(origin->second);
    if (!other) {
      bases_[origin->second];
    } else if (*other >= index) {
      return fail(at_line({Code::kInvalid, "--from names no earlier stage", {}}, item));
    } else {
      HEARTH_CHECK_OK(add_stage(*other));
    }
  }
  return {};
}

void BuildJob::set_base(const std::string& name, std::optional<BaseImage> image) {
  bases_[name] = std::move(image);
}

Result<StageState> BuildJob::open_stage(const Stage& stage) {
  StageState out;
  const std::string& from = stage.from.words[0];
  CacheKey key;
  key.add("stage").add(oci::host_architecture());
  if (const auto other = stage_index(from); other && states_.contains(*other)) {
    out = *states_.at(*other);
    out.unpacked = 0;
    out.args.clear();
    out.has_own_cmd = false;
    key.add(out.key);
  } else if (from == "scratch") {
    key.add("scratch");
  } else if (const auto& base = bases_[from]) {
    out.config = base->config;
    out.layers = base->layers;
    out.has_unknown_files = true;
    out.has_base = true;
    key.add(base->digest.text());
  } else {
    HEARTH_TRY(reference, oci::parse_reference(from));
    out.host_backed = true;
    key.add("host").add(reference.text());
    log(fmt::format("{} is not in the registry: the image stands on this machine's files", from));
  }
  if (out.config.architecture.empty()) out.config.architecture = oci::host_architecture();
  if (out.host_backed) out.config.labels[std::string(kBaseLabel)] = kBaseHost;
  out.key = key.finish();
  out.tree = folder_ / fmt::format("stage-{}", ++folders_made_);
  return out;
}

Result<std::optional<PendingLayer>> BuildJob::advance() {
  for (; stage_at_ < order_.size(); ++stage_at_, instruction_at_ = 0) {
    const std::size_t index = order_[stage_at_];
    const Stage& source = file_.stages[index];
    if (!states_.contains(index)) {
      log(source.from.original);
      auto opened = open_stage(source);
      if (!opened) return fail(at_line(opened.error(), source.from));
      states_[index] = std::make_unique<StageState>(std::move(*opened));
    }
    while (instruction_at_ < source.instructions.size()) {
      HEARTH_CHECK_OK(check_time());
      const Instruction& item = source.instructions[instruction_at_++];
      log(item.original.substr(0, kLogTextMax));
      auto pending = do_instruction(item);
      if (!pending) return fail(at_line(pending.error(), item));
      if (*pending) return pending;
    }
  }
  return std::optional<PendingLayer>();
}

Result<std::optional<PendingLayer>> BuildJob::do_instruction(const Instruction& item) {
  if (makes_layer(item.keyword)) return do_step(item);
  HEARTH_CHECK_OK(apply_metadata(item, sources(), stage()));
  stage().config.history.push_back({.created_by = item.original, .empty_layer = true});
  return std::optional<PendingLayer>();
}

Result<std::optional<PendingLayer>> BuildJob::do_step(const Instruction& item) {
  Result<Step> step = item.keyword == Keyword::kRun       ? plan_run(item)
                      : item.keyword == Keyword::kWorkdir ? plan_workdir(item)
                                                          : plan_copy(item);
  if (!step) return fail(step.error());
  // The history entry turns into one with a layer when there is one.
  stage().config.history.push_back({.created_by = item.original, .empty_layer = true});
  if (!step->fill) return std::optional<PendingLayer>();
  ++steps_;
  if (request_.cache) {
    const auto known = cache_.find(step->key);
    if (known && (!known->layer || blobs_.contains(known->layer->blob.digest.hex()))) {
      ++cached_steps_;
      // Its folders were not looked at: who needs to know them looks at the unpacked stage.
      stage().has_unknown_files = true;
      append_layer(step->key, known->layer);
      log(" -> cached");
      return std::optional<PendingLayer>();
    }
  }
  return make_layer(*step);
}

Result<std::optional<PendingLayer>> BuildJob::make_layer(const Step& step) {
  HEARTH_TRY(blob, blobs_.create());
  const auto parents = stage().has_base ? oci::ParentPolicy::kOmit : oci::ParentPolicy::kAdd;
  oci::LayerWriter writer({.modes = step.modes, .parents = parents, .checkpoint = checkpoint()},
                          [&blob](std::string_view bytes) { return blob.append(bytes); });
  HEARTH_CHECK_OK(step.fill(writer));
  if (writer.empty()) {
    HEARTH_CHECK_OK(cache_.remember(step.key, {}));
    append_layer(step.key, std::nullopt);
    log(" -> nothing changed");
    return std::optional<PendingLayer>();
  }
  HEARTH_TRY(written, writer.finish());
  awaited_ = Awaited{.key = step.key,
                     .layer = {.blob = {.media_type = written.media_type,
                                        .digest = written.digest,
                                        .size = written.size},
                               .diff_id = written.diff_id},
                     .fills_tree = step.fills_tree};
  return std::optional<PendingLayer>(PendingLayer{std::move(blob), std::move(written)});
}

Status BuildJob::accept() {
  const Awaited done = std::move(*awaited_);
  awaited_.reset();
  HEARTH_CHECK_OK(cache_.remember(done.key, {done.layer}));
  append_layer(done.key, done.layer);
  if (done.fills_tree) stage().unpacked = stage().layers.size();
  log(fmt::format(" -> layer {} ({} bytes)", done.layer.blob.digest.text(), done.layer.blob.size));
  return {};
}

void BuildJob::append_layer(std::string_view key, const std::optional<Layer>& layer) {
  stage().key = key;
  if (!layer) return;
  stage().layers.push_back(*layer);
  stage().config.diff_ids.push_back(layer->diff_id);
  stage().config.history.back().empty_layer = false;
}

Result<BuildJob::Step> BuildJob::plan_workdir(const Instruction& item) {
  HEARTH_TRY(path, substitute(item.text, stage().variables(), file_.escape));
  HEARTH_CHECK_OK(oci::check_path(path));
  std::string folder = stage().absolute(path + "/");
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  HEARTH_CHECK_OK(oci::check_path(folder));
  stage().config.working_dir = folder;
  Step step;
  stage().add_folder(folder);
  if (folder == "/" || !stage().working_dirs.insert(folder).second) return step;
  step.key = CacheKey().add(stage().key).add("WORKDIR").add(folder).finish();
  step.fill = [folder](oci::LayerWriter& writer) {
    writer.add_directory(folder, 0755);
    return Status();
  };
  return step;
}

Status BuildJob::unpack(StageState& state) {
  HEARTH_CHECK_OK(base::make_private_directory(state.tree));
  fs::permissions(state.tree, fs::perms(0755));
  for (; state.unpacked < state.layers.size(); ++state.unpacked) {
    const Layer& layer = state.layers[state.unpacked];
    HEARTH_CHECK_OK(check_time());
    HEARTH_TRY(fd, blobs_.open_blob(layer.blob.digest.hex()));
    const auto unpacked = oci::extract_archive(fd.get(), state.tree,
                                               {.kind = oci::ExtractOptions::Kind::kImageLayer,
                                                .files_max = kStageFilesMax,
                                                .bytes_max = options_.stage_bytes_max,
                                                .checkpoint = checkpoint()});
    if (!unpacked) return fail(with_context(unpacked.error(), "unpacking a layer"));
  }
  return {};
}

Image BuildJob::finish() const {
  const StageState& last = *states_.at(order_.back());
  Image out{.config = oci::dump(last.config), .manifest = {}, .host_backed = last.host_backed};
  out.manifest.config = oci::Descriptor{.media_type = std::string(oci::kOciConfig),
                                        .digest = oci::Digest::of(out.config),
                                        .size = out.config.size()};
  for (const Layer& layer : last.layers) out.manifest.layers.push_back(layer.blob);
  if (last.host_backed) out.manifest.annotations[std::string(kBaseLabel)] = kBaseHost;
  return out;
}

}  // namespace hearth::builder

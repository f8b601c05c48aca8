// One build, step by step, without awaiting: everything here blocks and runs on a pool thread, one
// call at a time. What needs the loop (registry look-ups, committing blobs) happens between the
// calls, in Builder::build.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/blobs/blob_store.h"
#include "emulator/builder/build_context.h"
#include "emulator/builder/builder.h"
#include "emulator/builder/command.h"
#include "emulator/builder/dockerfile.h"
#include "emulator/builder/host_view.h"
#include "emulator/builder/layer_cache.h"
#include "emulator/builder/stage.h"
#include "platform/oci/checkpoint.h"
#include "platform/oci/layer_writer.h"
#include "platform/oci/reference.h"

namespace hearth::builder {

struct BaseImage {
  oci::Digest digest;
  oci::ImageConfig config;
  std::vector<Layer> layers;
};

// A layer whose bytes are written but not yet durable.
struct PendingLayer {
  blobs::BlobWriter writer;
  oci::WrittenLayer written;
};

struct Image {
  std::string config;
  oci::Manifest manifest;  // its config descriptor is complete
  bool host_backed = false;
};

// What all builds of a daemon share of this machine.
struct Machine {
  HostTools tools;
  std::vector<std::filesystem::path> state;    // the daemon's folders
  std::vector<std::filesystem::path> guarded;  // they and the home folder
  std::string isolation_withheld;              // why there are no jails; empty: there are
};

class BuildJob {
 public:
  BuildJob(const blobs::BlobStore& blobs, const BuilderOptions& options, const Machine& machine,
           BuildRequest request);
  ~BuildJob();
  BuildJob(const BuildJob&) = delete;
  BuildJob& operator=(const BuildJob&) = delete;

  // Reads Dockerfile and context; returns the images of other origin that the stages need.
  Result<std::vector<std::string>> prepare();
  void set_base(const std::string& name, std::optional<BaseImage> image);

  // Goes on until a layer waits to be committed; nullopt when the image is complete.
  Result<std::optional<PendingLayer>> advance();
  // The layer that advance() returned is durable.
  Status accept();
  Image finish() const;
  void clean();

  const BuildRequest& request() const { return request_; }
  int steps() const { return steps_; }
  int cached_steps() const { return cached_steps_; }
  void log(std::string_view line);

 private:
  using Fill = std::function<Status(oci::LayerWriter&)>;
  struct Step {
    std::string key;
    oci::ModePolicy modes = oci::ModePolicy::kNormalise;
    bool fills_tree = false;  // its work leaves the stage's tree as the layer will
    Fill fill;
  };
  struct CopySources {
    CopyList list;
    bool is_folder_target = false;  // several sources, or the destination ends in '/'
    std::string identity;           // for the key: content, or the other stage's key
  };

  // build_job.cc
  Status read_global_args();
  Status choose_stages();
  Status add_stage(std::size_t index);
  std::optional<std::size_t> stage_index(std::string_view name) const;
  Result<StageState> open_stage(const Stage& stage);
  Result<std::optional<PendingLayer>> do_instruction(const Instruction& item);
  Result<std::optional<PendingLayer>> do_step(const Instruction& item);
  Result<std::optional<PendingLayer>> make_layer(const Step& step);
  Result<Step> plan_workdir(const Instruction& item);
  void append_layer(std::string_view key, const std::optional<Layer>& layer);
  Status unpack(StageState& stage);
  Status check_time() const { return builder::check_time(request_); }
  oci::Checkpoint checkpoint() const {
    return [this] { return check_time(); };
  }
  StageState& stage() { return *states_.at(order_[stage_at_]); }
  ArgumentSources sources() const {
    return {.given = request_.build_args, .global = global_args_, .escape = file_.escape};
  }

  // copy_step.cc
  Result<Step> plan_copy(const Instruction& item);
  Result<CopySources> gather(const Instruction& item, const std::vector<std::string>& words);
  Result<BuildContext> copy_origin(const Instruction& item);
  Result<std::string> target_of(const CopyItem& item, const CopySources& sources,
                                const std::string& destination);
  Status fill_copy(const CopySources& sources, const std::string& destination,
                   std::optional<unsigned> mode, oci::LayerWriter& writer);
  Result<CopyList> unpack_archives(CopyList list);

  // run_step.cc
  Result<Step> plan_run(const Instruction& item);
  Status fill_run(const Instruction& item, bool network, oci::LayerWriter& writer);
  Result<CommandOutcome> execute(const Instruction& item, Command command);
  Result<CommandOutcome> execute_isolated(Command command);
  Result<CommandOutcome> execute_in_tree(const Instruction& item, Command command);
  process::LandlockRules files_of_tree(const std::filesystem::path& home);
  std::map<std::string, std::string> run_environment(const Instruction& item) const;
  // Each once a build.
  void say(const std::string& notice);
  void say_withheld(const std::vector<std::string>& names);
  // Where pip is to install: what the command says, else a folder of the image. Empty: not pip.
  std::string pip_target(const Instruction& item) const;
  Status compile_packages(const Instruction& item, Command command);
  std::vector<std::string> run_arguments(const Instruction& item) const;
  Status outcome_error(const CommandOutcome& outcome) const;

  const blobs::BlobStore& blobs_;
  const BuilderOptions& options_;
  const Machine& machine_;
  const HostTools& tools_;
  BuildRequest request_;
  LayerCache cache_;
  std::filesystem::path folder_;  // of this build, removed at its end

  Dockerfile file_;
  std::optional<BuildContext> context_;
  Variables global_args_;
  std::vector<std::size_t> order_;  // stages that the target needs, in file order
  std::map<std::string, std::optional<BaseImage>> bases_;
  std::map<std::size_t, std::unique_ptr<StageState>> states_;
  std::map<std::string, std::filesystem::path> image_trees_;  // of COPY --from=image
  std::size_t stage_at_ = 0;
  std::size_t instruction_at_ = 0;

  struct Awaited {
    std::string key;
    Layer layer;
    bool fills_tree = false;
  };
  std::optional<Awaited> awaited_;
  std::deque<std::string> last_lines_;
  int steps_ = 0;
  int cached_steps_ = 0;
  int folders_made_ = 0;
  std::set<std::string> said_;
};

}  // namespace hearth::builder

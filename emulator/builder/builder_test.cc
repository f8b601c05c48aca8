#include "emulator/builder/builder.h"

#include <fstream>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/blobs/blob_store.h"
#include "emulator/builder/build_context.h"
#include "emulator/builder/dockerfile.h"
#include "emulator/builder/ignore_file.h"
#include "emulator/registry/registry.h"
#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/manifest.h"
#include "platform/oci/reference.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class BuilderTest : public testing::Test {
 public:
  BuilderTest() : root_(fs::path(testing::TempDir()) / ("builder-" + base::random_hex(6))) {
    fs::create_directories(context());
    blobs_ = blobs::BlobStore::open(root_ / "blobs", pool_).value();
    auto database = sqlite::Database::open(root_ / "db", sqlite::OpenMode::kReadWrite).value();
    EXPECT_TRUE(sqlite::migrate(database, registry::kRoom, registry::kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    registry_ = registry::Registry::open(loop_, *writer_, root_ / "db", *blobs_, clock_).value();
    builder_ = std::make_unique<Builder>(*registry_, *blobs_, build_pool_,
                                         BuilderOptions{.work_dir = root_ / "work"});
    loop_.start();
  }
  ~BuilderTest() override { fs::remove_all(root_); }

 protected:
  fs::path context() const { return root_ / "context"; }

  void put(const std::string& name, const std::string& text) {
    fs::create_directories((context() / name).parent_path());
    std::ofstream(context() / name) << text;
  }

  BuildRequest request() {
    BuildRequest out{.id = "b",
                     .context = context(),
                     .destinations = {"localhost:5001/t/fn:v1"},
                     .timeout = std::chrono::seconds(30)};
    out.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_ += std::string(line) + "\n";
    };
    return out;
  }

  Result<BuildResult> build(BuildRequest wanted) {
    Result<BuildResult> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(build_into(std::move(wanted), out));
    return out;
  }
  Result<BuildResult> build() { return build(request()); }
  Task<void> build_into(BuildRequest wanted, Result<BuildResult>& out) {
    out = co_await builder_->build(std::move(wanted));
  }

  // The image's files, as a runtime would unpack them.
  fs::path unpack(const BuildResult& result) {
    const fs::path out = root_ / ("image-" + base::random_hex(4));
    fs::create_directories(out);
    const auto stored = registry_->find_manifest("t/fn", result.digest.text()).value();
    manifest_ = oci::parse_manifest(stored.bytes).value();
    config_ =
        oci::parse_config(blobs_->read(manifest_.config->digest.hex(), 1 << 20).value()).value();
    for (const auto& layer : manifest_.layers) {
      const auto fd = blobs_->open_blob(layer.digest.hex()).value();
      EXPECT_TRUE(
          oci::extract_archive(fd.get(), out, {.kind = oci::ExtractOptions::Kind::kImageLayer}));
    }
    return out;
  }

  fs::path root_;
  base::SystemClock clock_;
  async::Loop loop_{"test"};
  async::BlockingPool pool_{1};
  async::BlockingPool build_pool_{1};
  std::unique_ptr<blobs::BlobStore> blobs_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<Builder> builder_;
  std::mutex mutex_;
  std::string log_;
  oci::Manifest manifest_;
  oci::ImageConfig config_;
};

TEST_F(BuilderTest, BuildsAHostBackedImageAndReusesItsLayers) {
  put("Dockerfile",
      "FROM python:3.11-slim\nWORKDIR /app\nCOPY lock ./\n"
      "RUN cat lock > made && mkdir deep && echo $HOME > deep/home && echo \"$A\"\n"
      "COPY . .\nENV A=1\nEXPOSE 8080\nCMD [\"python3\", \"main.py\"]\n");
  put("lock", "deps\n");
  put("main.py", "print(1)\n");
  const auto first = build();
  ASSERT_TRUE(first) << first.error().message << log_;
  EXPECT_TRUE(first->host_backed);
  EXPECT_EQ(first->steps, 4);
  EXPECT_EQ(first->cached_steps, 0);
  const fs::path image = unpack(*first);
  EXPECT_EQ(base::read_file(image / "app/made").value(), "deps\n");
  EXPECT_TRUE(fs::exists(image / "app/main.py"));
  EXPECT_FALSE(fs::exists(image / "usr"));
  EXPECT_FALSE(fs::exists(image / "proc"));
  EXPECT_EQ(manifest_.annotations.at("hearth.local/base"), "host");
  EXPECT_EQ(config_.labels.at("hearth.local/base"), "host");
  EXPECT_EQ(config_.working_dir, "/app");
  EXPECT_EQ(config_.exposed_ports, std::vector<std::string>{"8080/tcp"});

  const auto second = build();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->cached_steps, 4);
  EXPECT_EQ(second->digest, first->digest);

  BuildRequest fresh = request();
  fresh.cache = false;
  const auto third = build(std::move(fresh));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->cached_steps, 0);
  EXPECT_EQ(third->digest, first->digest);

  put("main.py", "print(2)\n");
  const auto changed = build();
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->cached_steps, 3);
  EXPECT_NE(changed->digest, first->digest);
}

TEST_F(BuilderTest, RunSeesTheHostReadOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "as root the kernel alone would not refuse";
  put("Dockerfile", "FROM x\nRUN touch /usr/evil || touch /refused; ls / > /seen\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  const fs::path image = unpack(*result);
  EXPECT_TRUE(fs::exists(image / "refused"));
  EXPECT_FALSE(fs::exists("/usr/evil"));
  EXPECT_THAT(base::read_file(image / "seen").value(), testing::Not(HasSubstr("home\n")));
}

// The place is needed for a mount: that it can't be made must not cost the jail.
TEST_F(BuilderTest, AFileInAMountsPlaceRefusesTheBuildAndNothingRuns) {
  put("x", "a file");
  for (const std::string place : {"/run", "/usr", "/etc", "/proc", "/dev"}) {
    const fs::path mark = root_ / "escaped";
    put("Dockerfile", "FROM python:3.11\nCOPY x " + place + "\nRUN echo out > " + mark.string());
    const auto result = build();
    ASSERT_FALSE(result) << place;
    EXPECT_EQ(result.error().code, Code::kPreconditionFailed);
    EXPECT_THAT(result.error().message, HasSubstr("the image has " + place));
    EXPECT_FALSE(fs::exists(mark));
  }
  EXPECT_THAT(log_, testing::Not(HasSubstr("without isolation")));
}

TEST_F(BuilderTest, RunSeesOfEtcWhatProgramsNeed) {
  put("Dockerfile",
      "FROM x\nRUN ls /etc > /seen; cat /etc/passwd > /users; "
      "ls -d /etc/ssl/private /etc/ssh /root/.ssh > /keys 2>&1; true\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  const fs::path image = unpack(*result);
  const std::string seen = base::read_file(image / "seen").value();
  EXPECT_THAT(seen, HasSubstr("hosts\n"));
  EXPECT_THAT(seen, testing::Not(HasSubstr("shadow\n")));
  EXPECT_THAT(base::read_file(image / "users").value(), testing::StartsWith("root:x:0:0:"));
  EXPECT_THAT(base::read_file(image / "keys").value(), testing::Not(HasSubstr("\n/")));
  EXPECT_FALSE(fs::exists(image / "etc")) << "what is shown is no part of the image";
}

TEST_F(BuilderTest, RunMayChangeEtcAndItBecomesPartOfTheImage) {
  put("Dockerfile", "FROM x\nCOPY x /etc/mine\nRUN cat /etc/mine > /etc/made && ls /etc/hosts\n");
  put("x", "X");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message << log_;
  const fs::path image = unpack(*result);
  EXPECT_EQ(base::read_file(image / "etc/made").value(), "X");
  EXPECT_FALSE(fs::exists(image / "etc/hosts"));
}

TEST_F(BuilderTest, RunCanNotChangeTheKernel) {
  put("Dockerfile", "FROM x\nRUN (: >> /proc/sys/kernel/core_pattern) || touch /refused\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(fs::exists(unpack(*result) / "refused"));
}

// The places of mounts are removed when the step has ended; by then a link may lead elsewhere.
TEST_F(BuilderTest, WhatIsRemovedAfterARunIsOfItsTree) {
  const fs::path outside = root_ / "outside";
  fs::create_directories(outside / "hosts");
  fs::create_directories(outside / "ssl/certs");
  put("Dockerfile", "FROM x\nRUN mv /etc /moved && ln -s " + outside.string() + " /etc\n");
  (void)build();
  EXPECT_TRUE(fs::exists(outside / "hosts"));
  EXPECT_TRUE(fs::exists(outside / "ssl/certs"));
}

TEST_F(BuilderTest, AWorkingFolderBehindALinkIsMadeInTheTree) {
  const fs::path outside = root_ / "outside";
  fs::create_directories(outside);
  fs::create_directories(context() / "tree");
  fs::create_symlink(outside, context() / "tree/app");
  put("Dockerfile", "FROM x\nCOPY tree /\nWORKDIR /app\nRUN touch made\n");
  const auto result = build();
  EXPECT_TRUE(fs::is_empty(outside));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("the image has /app, which is no folder"));
}

TEST_F(BuilderTest, CopiesBetweenStagesAndRemoves) {
  put("Dockerfile",
      "FROM golang AS build\nWORKDIR /src\nCOPY a.txt .\nRUN cp a.txt b.txt && rm a.txt\n"
      "FROM build AS unused\nRUN exit 1\n"
      "FROM scratch\nCOPY --from=build --chmod=755 /src/b.txt /bin/tool\n"
      "COPY --from=0 /src /all/\n");
  put("a.txt", "A");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->host_backed);
  const fs::path image = unpack(*result);
  EXPECT_EQ(base::read_file(image / "bin/tool").value(), "A");
  EXPECT_TRUE(fs::exists(image / "all/b.txt"));
  EXPECT_FALSE(fs::exists(image / "all/a.txt"));
}

TEST_F(BuilderTest, StandsOnAnImageOfTheRegistry) {
  put("Dockerfile", "FROM scratch\nCOPY base.txt /base.txt\nENV BASE=yes\n");
  put("base.txt", "base");
  BuildRequest base = request();
  base.destinations = {"localhost:5001/library/mine:1"};
  ASSERT_TRUE(build(std::move(base)));
  put("Dockerfile", "FROM docker.io/library/mine:1\nCOPY base.txt /more/\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->host_backed);
  const fs::path image = unpack(*result);
  EXPECT_TRUE(fs::exists(image / "base.txt"));
  EXPECT_TRUE(fs::exists(image / "more/base.txt"));
  EXPECT_EQ(config_.env, std::vector<std::string>{"BASE=yes"});
}

TEST_F(BuilderTest, AnEmptyListTakesAwayTheCommandOfTheBase) {
  put("Dockerfile", "FROM scratch\nENTRYPOINT [\"run\"]\nCMD [\"it\"]\n");
  BuildRequest base = request();
  base.destinations = {"localhost:5001/library/mine:1"};
  ASSERT_TRUE(build(std::move(base)));
  put("Dockerfile", "FROM docker.io/library/mine:1\nCMD []\n");
  const auto no_command = build();
  ASSERT_TRUE(no_command) << no_command.error().message;
  unpack(*no_command);
  EXPECT_EQ(config_.entrypoint, std::vector<std::string>{"run"});
  EXPECT_TRUE(config_.cmd.empty());
  put("Dockerfile", "FROM docker.io/library/mine:1\nENTRYPOINT []\n");
  const auto nothing = build();
  ASSERT_TRUE(nothing) << nothing.error().message;
  unpack(*nothing);
  EXPECT_TRUE(config_.entrypoint.empty());
  EXPECT_TRUE(config_.cmd.empty());
}

TEST_F(BuilderTest, AStageMayStandOnAsManyAsThereMayBe) {
  std::string text = "FROM scratch AS s0\nCMD [\"a\"]\n";
  for (std::size_t i = 1; i < kStagesMax; ++i) {
    text += "FROM s" + std::to_string(i - 1) + " AS s" + std::to_string(i) + "\n";
  }
  put("Dockerfile", text + "ENTRYPOINT [\"b\"]\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  unpack(*result);
  EXPECT_TRUE(config_.cmd.empty());  // it was another stage's
}

TEST_F(BuilderTest, SaysWhichLineIsTooLarge) {
  const auto message = [this](const std::string& text) {
    put("Dockerfile", text);
    const auto result = build();
    return result ? "taken" : result.error().message;
  };
  std::string doubled = "ENV A=0123456789abcdef\n";
  for (int i = 0; i < 20; ++i) doubled += "ENV A=$A$A\n";
  EXPECT_EQ(message("FROM scratch\n" + doubled),
            "Dockerfile line 15: ENV A=$A$A: the variable A is over 131072 bytes");
  const std::string value = "ARG A=" + std::string(3000, 'x') + "\n";
  EXPECT_THAT(message("FROM scratch\n" + value + "WORKDIR /$A\n"),
              HasSubstr("line 3: WORKDIR /$A: "));
  EXPECT_THAT(message("FROM scratch\n" + value + "COPY a /$A\n"),
              HasSubstr("line 3: COPY a /$A: "));
  EXPECT_EQ(message("FROM scratch\n" + value + "COPY *$A$A /\n"),
            "Dockerfile line 3: COPY *$A$A /: a source is over 4096 bytes");
}

TEST_F(BuilderTest, AFailingRunShowsLineCodeAndTail) {
  put("Dockerfile", "FROM x\n\nRUN for i in $(seq 30); do echo line $i; done; exit 7\n");
  const auto result = build();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kPreconditionFailed);
  EXPECT_THAT(result.error().message, HasSubstr("Dockerfile line 3: RUN for i"));
  EXPECT_THAT(result.error().message, HasSubstr("exit code 7"));
  EXPECT_THAT(result.error().message, HasSubstr("\nline 11\n"));
  EXPECT_THAT(result.error().message, testing::Not(HasSubstr("\nline 10\n")));
  EXPECT_THAT(log_, HasSubstr("line 1\n"));
}

TEST_F(BuilderTest, ATimeoutEndsTheWholeTree) {
  const std::string mark = "4" + std::to_string(::getpid());  // seconds; finds our process alone
  put("Dockerfile",
      "FROM x\nRUN (setsid sleep " + mark + " &) ; echo started; sleep " + mark + "\n");
  BuildRequest wanted = request();
  wanted.timeout = std::chrono::seconds(1);
  const auto result = build(std::move(wanted));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDeadlineExceeded);
  EXPECT_THAT(result.error().message, HasSubstr("started"));
  for (const auto& item : fs::directory_iterator("/proc")) {
    const auto command = base::read_file(item.path() / "cmdline");
    if (command) EXPECT_THAT(*command, testing::Not(HasSubstr(mark))) << item.path();
  }
}

TEST_F(BuilderTest, CancellingEndsARun) {
  put("Dockerfile", "FROM x\nRUN sleep 100\n");
  BuildRequest wanted = request();
  wanted.cancelled = std::make_shared<std::atomic<bool>>(false);
  wanted.log = [flag = wanted.cancelled](std::string_view line) {
    if (line.starts_with("RUN")) flag->store(true);
  };
  EXPECT_EQ(build(std::move(wanted)).error().code, Code::kCancelled);
}

TEST_F(BuilderTest, CancellingEndsACopyThoughItIsTheLastStep) {
  put("Dockerfile", "FROM scratch\nCOPY . /all/\n");
  put("a.txt", "a");
  BuildRequest wanted = request();
  wanted.cancelled = std::make_shared<std::atomic<bool>>(false);
  wanted.log = [flag = wanted.cancelled](std::string_view line) {
    if (line.starts_with("COPY")) flag->store(true);
  };
  EXPECT_EQ(build(std::move(wanted)).error().code, Code::kCancelled);
}

TEST_F(BuilderTest, TheTimeLimitCountsFromTheRequestAndEndsTheReadingOfTheContext) {
  put("Dockerfile", "no instruction");
  BuildRequest late = request();
  late.started -= late.timeout;
  EXPECT_EQ(build(std::move(late)).error().code, Code::kDeadlineExceeded);
}

TEST_F(BuilderTest, RefusesFoldersThatAreTooDeep) {
  std::string deep;
  for (std::size_t i = 0; i < limits::kPathDepthMax; ++i) deep += "d/";
  put("Dockerfile", "FROM scratch\nCOPY . /\n");
  put(deep + "x", "x");
  const auto context_error = build().error();
  EXPECT_EQ(context_error.code, Code::kTooLarge);
  EXPECT_THAT(context_error.message, HasSubstr("d/d/d/"));
  // Within the bounds of a context, over those of a layer below its destination.
  fs::remove_all(context() / "d");
  put(deep.substr(2) + "x", "x");
  ASSERT_TRUE(build());
  put("Dockerfile", "FROM scratch\nCOPY . /below/\n");
  EXPECT_THAT(build().error().message, HasSubstr("below/d/d/"));
}

TEST_F(BuilderTest, CopyStaysInTheContext) {
  put("Dockerfile", "FROM scratch\nCOPY link /stolen\n");
  fs::create_symlink("/etc/passwd", context() / "link");
  EXPECT_EQ(build().error().code, Code::kNotFound);
  put("Dockerfile", "FROM scratch\nCOPY ../../etc/passwd /stolen\n");
  EXPECT_EQ(build().error().code, Code::kNotFound);
  // Within a folder a link is copied as a link.
  put("Dockerfile", "FROM scratch\nCOPY . /all/\n");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(fs::is_symlink(unpack(*result) / "all/link"));
}

TEST_F(BuilderTest, HonoursDockerignoreAndPatterns) {
  put("Dockerfile", "FROM scratch\nCOPY *.py lock* /app/\n");
  put(".dockerignore", "secret.py\n");
  put("a.py", "");
  put("secret.py", "");
  const auto result = build();
  ASSERT_TRUE(result) << result.error().message;
  const fs::path image = unpack(*result);
  EXPECT_TRUE(fs::exists(image / "app/a.py"));
  EXPECT_FALSE(fs::exists(image / "app/secret.py"));
}

TEST(CopyList, IsBoundedInMemory) {
  CopyList list;
  ASSERT_TRUE(list.add(CopyItem{.relative = "a", .source = "/context/a"}));
  EXPECT_EQ(list.items.size(), 1U);
  list.bytes = kCopyListBytesMax - sizeof(CopyItem);
  ASSERT_TRUE(list.add(CopyItem{}));
  const Status refused = list.add(CopyItem{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  // A list that is added to another counts there.
  EXPECT_FALSE(list.add(CopyList{.items = {CopyItem{}}}));
  EXPECT_EQ(list.items.size(), 2U);
}

TEST_F(BuilderTest, NamesTheIgnoreFileThatIsTooLarge) {
  put("Dockerfile", "FROM scratch\nCOPY a.py /\n");
  put("a.py", "");
  put(".dockerignore", std::string(kIgnoreFileBytesMax + 1, '\n'));
  EXPECT_EQ(build().error().message, ".dockerignore is over 1048576 bytes");
  EXPECT_EQ(build().error().code, Code::kTooLarge);
  put("Dockerfile.dockerignore", "a\n" + std::string(kPatternBytesMax + 1, 'a'));
  EXPECT_EQ(build().error().message,
            "Dockerfile.dockerignore: line 2: the pattern is over 4096 bytes");
}

TEST_F(BuilderTest, NamesWhatIsWrong) {
  put("Dockerfile", "FROM scratch\nCOPY absent /x\n");
  EXPECT_THAT(build().error().message,
              HasSubstr("Dockerfile line 2: COPY absent /x: absent: no such file"));
  put("Dockerfile", "FROM scratch\nADD https://example.org/x /x\n");
  EXPECT_EQ(build().error().code, Code::kUnsupported);
  put("Dockerfile", "FROM scratch\nCOPY --from=nowhere /x /x\n");
  EXPECT_EQ(build().error().code, Code::kNotFound);
  BuildRequest wanted = request();
  wanted.destinations.clear();
  EXPECT_EQ(build(std::move(wanted)).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace hearth::builder

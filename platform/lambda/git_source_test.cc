#include "platform/lambda/git_source.h"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <git2.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/async/timer.h"
#include "platform/base/bytes.h"
#include "platform/base/c_handle.h"
#include "platform/base/random_id.h"
#include "platform/lambda/git_clone.h"
#include "platform/lambda/git_library.h"
#include "platform/lambda/git_tree.h"

namespace hearth::lambda {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool is_gone(pid_t pid) { return ::kill(pid, 0) == -1 && errno == ESRCH; }

class GitTest : public ::testing::Test {
 public:
  GitTest() : folder_(fs::path(::testing::TempDir()) / ("git-test-" + base::random_hex(6))) {
    fs::create_directories(folder_ / "scratch");
  }
  ~GitTest() override { fs::remove_all(folder_); }

 protected:
  // A repository whose branch "main" has this file.
  GitLocation repository_with(const std::string& name, const std::string& content) {
    open_git_library();
    const fs::path path = folder_ / "repository";
    git_repository* opened = nullptr;
    EXPECT_EQ(git_repository_init(&opened, path.c_str(), 1), 0);
    const base::CHandle<git_repository, git_repository_free> repository(opened);
    git_oid file, folder, commit;
    git_blob_create_from_buffer(&file, opened, content.data(), content.size());
    git_treebuilder* builder = nullptr;
    git_treebuilder_new(&builder, opened, nullptr);
    git_treebuilder_insert(nullptr, builder, name.c_str(), &file, GIT_FILEMODE_BLOB);
    git_treebuilder_write(&folder, builder);
    git_treebuilder_free(builder);
    git_tree* tree = nullptr;
    git_tree_lookup(&tree, opened, &folder);
    const base::CHandle<git_tree, git_tree_free> tree_owner(tree);
    git_signature* author = nullptr;
    git_signature_new(&author, "t", "t@example.com", 0, 0);
    EXPECT_EQ(git_commit_create(&commit, opened, "refs/heads/main", author, author, nullptr, "one",
                                tree, 0, nullptr),
              0);
    git_signature_free(author);
    char hash[GIT_OID_HEXSZ + 1];
    commit_ = git_oid_tostr(hash, sizeof hash, &commit);
    return {.url = "file://" + path.string(), .ref = "main", .path = {}, .secret = {}};
  }

  fs::path folder_;
  std::string commit_;  // of the repository
};

TEST_F(GitTest, ReadsTheTreeOfACloneWithoutTheNetwork) {
  const GitLocation location = repository_with("main.py", "def handler(event): pass\n");
  ASSERT_TRUE(clone_git(location, folder_ / "clone"));
  fs::remove_all(folder_ / "repository");
  const auto tree = read_git_tree(folder_ / "clone", location);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(*tree, (SourceTree{{"main.py", "def handler(event): pass\n"}}));
}

TEST_F(GitTest, ACommitIsFoundByItsHashAndNoExpressionIs) {
  GitLocation location = repository_with("main.py", "x = 1\n");
  ASSERT_TRUE(clone_git(location, folder_ / "clone"));
  location.ref = commit_;
  EXPECT_TRUE(read_git_tree(folder_ / "clone", location));
  location.ref = commit_.substr(0, 7);
  EXPECT_TRUE(read_git_tree(folder_ / "clone", location));
  for (const std::string& ref : {commit_.substr(0, 6), commit_ + "0", std::string("main~0"),
                                 std::string("main^{}"), std::string("main@{0}"), std::string()}) {
    location.ref = ref;
    const auto tree = read_git_tree(folder_ / "clone", location);
    ASSERT_FALSE(tree) << ref;
    EXPECT_THAT(tree.error().message, HasSubstr("has no branch, tag or commit")) << ref;
  }
}

TEST_F(GitTest, AMissingRefAndAMissingPathAreNamed) {
  GitLocation location = repository_with("main.py", "x");
  ASSERT_TRUE(clone_git(location, folder_ / "clone"));
  location.path = "no/such/folder";
  const auto no_path = read_git_tree(folder_ / "clone", location);
  EXPECT_EQ(no_path.error().code, Code::kNotFound);
  EXPECT_THAT(no_path.error().message, HasSubstr("no path \"no/such/folder\" at \"main\""));
  location.ref = "v9";
  const auto no_ref = read_git_tree(folder_ / "clone", location);
  EXPECT_EQ(no_ref.error().code, Code::kNotFound);
  EXPECT_THAT(no_ref.error().message, HasSubstr("no branch, tag or commit \"v9\""));
}

TEST_F(GitTest, AnOrderIsCarriedOutAsACallIs) {
  const GitLocation location = repository_with("main.py", "x");
  const auto answer = parse_clone_answer(carry_out_clone(clone_order(location, folder_ / "clone")));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(*answer);
  EXPECT_TRUE(read_git_tree(folder_ / "clone", location));
}

TEST_F(GitTest, AnAnswerTellsTheErrorOfTheCall) {
  const GitLocation location{
      .url = "file:///no/such/place", .ref = "main", .path = {}, .secret = {}};
  const Status called = clone_git(location, folder_ / "one");
  ASSERT_FALSE(called);
  const auto answer = parse_clone_answer(carry_out_clone(clone_order(location, folder_ / "two")));
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error(), called.error());
}

TEST(CloneAnswer, AnythingElseIsNone) {
  for (const char* text : {"", "cloned", "[]", "{}", R"({"ok":false})", R"({"ok":false,"code":-1})",
                           R"({"ok":false,"code":1000})"}) {
    EXPECT_FALSE(parse_clone_answer(text)) << text;
  }
}

// Shell scripts take the place of `hearth __clone`.
class GitSourceTest : public GitTest {
 public:
  GitSourceTest() { loop_.start(); }
  ~GitSourceTest() override {
    if (source_) loop_.run_blocking(source_->stop());
    loop_.stop();
  }

 protected:
  GitSource& source(const std::string& script, GitSourceOptions options = {}) {
    const fs::path program = folder_ / "program";
    std::ofstream(program) << "#!/bin/sh\ncd " << folder_.string() << "\n" << script << "\n";
    fs::permissions(program, fs::perms::owner_all);
    options.executable = program;
    options.scratch = folder_ / "scratch";
    source_ = std::make_unique<GitSource>(loop_, pool_, std::move(options));
    return *source_;
  }

  Result<SourceTree> fetch(GitLocation location) {
    Result<SourceTree> out;
    loop_.run_blocking(fetch_into(*source_, std::move(location), out));
    return out;
  }

  Result<SourceTree> fetch(const std::string& url) {
    return fetch(GitLocation{.url = url, .ref = "main", .path = {}, .secret = {}});
  }

  pid_t process_of_clone() {
    loop_.run_blocking(wait_for_file(folder_ / "pid"));
    return std::stoi(text_of(folder_ / "pid"));
  }

  async::Loop loop_{"test"};
  async::BlockingPool pool_{1};
  std::unique_ptr<GitSource> source_;

 private:
  static Task<void> fetch_into(GitSource& source, GitLocation location, Result<SourceTree>& out) {
    out = co_await source.fetch(std::move(location));
  }
  static Task<void> wait_for_file(fs::path file) {
    while (!fs::exists(file)) co_await async::sleep_for(std::chrono::milliseconds(5));
  }
};

constexpr const char* kNeverAnswers = "echo $$ > begun; mv begun pid; exec sleep 1000";
// Takes the folder from the order and the repository from beside.
constexpr const char* kClone = R"sh(cp -r repository "$(sed 's/.*"folder":"\([^"]*\)".*/\1/')")sh";
constexpr const char* kSayDone = R"sh(echo '{"ok":true}')sh";

TEST_F(GitSourceTest, ReadsWhatTheProcessHasCloned) {
  const GitLocation location = repository_with("main.py", "x");
  source(fmt::format("{}; {}", kClone, kSayDone));
  const auto tree = fetch(location);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(*tree, (SourceTree{{"main.py", "x"}}));
  EXPECT_TRUE(fs::is_empty(folder_ / "scratch"));
}

TEST_F(GitSourceTest, CredentialsAreOnlyInTheOrder) {
  const std::string token = "s3cr\xe9t";
  source("cat > order; env > env; echo \"$@\" > arguments; exit 3");
  const auto failed =
      fetch({.url = "https://host/r", .ref = "main", .path = {}, .secret = {{"token", token}}});
  EXPECT_THAT(text_of(folder_ / "order"), HasSubstr(base::base64(token)));
  EXPECT_EQ(text_of(folder_ / "arguments"), "__clone\n");
  for (const std::string& form : {token, base::base64(token)}) {
    EXPECT_THAT(text_of(folder_ / "env"), Not(HasSubstr(form)));
    EXPECT_THAT(failed.error().message, Not(HasSubstr(form)));
  }
}

TEST_F(GitSourceTest, AProcessThatEndsWithoutAnAnswerIsToldOf) {
  source("exit 3");
  const auto failed = fetch("https://host/r");
  EXPECT_EQ(failed.error().code, Code::kInternal);
  EXPECT_THAT(failed.error().message, HasSubstr("git repository https://host/r"));
  EXPECT_THAT(failed.error().message, HasSubstr("exit code 3"));
}

TEST_F(GitSourceTest, AnAnswerWithoutEndIsCutOff) {
  source("exec cat /dev/zero");
  EXPECT_THAT(fetch("https://host/r").error().message, HasSubstr("no end"));
}

TEST_F(GitSourceTest, AServerThatNeverAnswersIsGivenUpAtTheDeadline) {
  source(kNeverAnswers, {.deadline = std::chrono::seconds(2)});
  const auto failed = fetch("https://host/r");
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_THAT(failed.error().message,
              HasSubstr("git repository https://host/r: no answer for 2 s"));
  EXPECT_TRUE(is_gone(process_of_clone()));
  EXPECT_TRUE(fs::is_empty(folder_ / "scratch"));
}

TEST_F(GitSourceTest, NobodyWaitsLongForAServerThatNeverAnswers) {
  source(kNeverAnswers, {.patience = std::chrono::milliseconds(10)});
  const auto first = fetch("https://host/r");
  EXPECT_EQ(first.error().code, Code::kUnavailable);
  EXPECT_THAT(first.error().message, HasSubstr("cloning goes on for at most 600 s"));
  // The same clone, and the same words: a status that shows them doesn't change.
  EXPECT_EQ(fetch("https://host/r").error(), first.error());
}

TEST_F(GitSourceTest, WhatIsThereLaterIsGivenToWhoAsksAgain) {
  const GitLocation location = repository_with("main.py", "x");
  ASSERT_EQ(::mkfifo((folder_ / "go").c_str(), 0600), 0);
  source(fmt::format("{}; cat go; {}", kClone, kSayDone),
         {.patience = std::chrono::milliseconds(0)});
  EXPECT_EQ(fetch(location).error().code, Code::kUnavailable);
  std::ofstream(folder_ / "go").flush();
  auto tree = fetch(location);
  while (!tree && tree.error().code == Code::kUnavailable) tree = fetch(location);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->at("main.py"), "x");
}

TEST_F(GitSourceTest, MoreThanAFewWaitForTheirTurn) {
  source(kNeverAnswers, {.patience = std::chrono::milliseconds(10), .clones_max = 1});
  EXPECT_FALSE(fetch("https://host/one"));
  (void)process_of_clone();
  EXPECT_THAT(fetch("https://host/two").error().message, HasSubstr("waits until one of the 1"));
}

TEST_F(GitSourceTest, StoppingEndsTheProcessAndRemovesItsFolder) {
  source(kNeverAnswers, {.patience = std::chrono::milliseconds(10)});
  EXPECT_FALSE(fetch("https://host/r"));
  const pid_t pid = process_of_clone();
  loop_.run_blocking(source_->stop());
  EXPECT_TRUE(is_gone(pid));
  EXPECT_TRUE(fs::is_empty(folder_ / "scratch"));
}

}  // namespace
}  // namespace hearth::lambda

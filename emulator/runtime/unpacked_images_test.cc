#include "emulator/runtime/unpacked_images.h"

#include <optional>

#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/file.h"
#include "platform/base/random_id.h"

namespace hearth::runtime {
namespace {

class UnpackedImagesTest : public testing::Test {
 public:
  UnpackedImagesTest() : root_(testing::TempDir() + "images-" + base::random_hex(6)) {
    std::filesystem::create_directory(root_);
    loop_.start();
    start();
  }
  ~UnpackedImagesTest() override { std::filesystem::remove_all(root_); }

 protected:
  // As a daemon's start does, after whatever end of the last one.
  void start() { images_.emplace(root_, clock_, pool_, std::chrono::milliseconds(1)); }

  void unpack(const std::string& name) {
    std::filesystem::create_directories(root_ / name / "app");
    ASSERT_TRUE(base::write_file_atomically(root_ / name / "app" / "main.py", "x = 1\n"));
  }
  void flush() { loop_.run_blocking(images_->flush()); }
  bool exists(const std::string& name) const { return std::filesystem::exists(root_ / name); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(root_), {}));
  }

  std::filesystem::path root_;
  base::VirtualClock clock_;
  async::Loop loop_{"test"};
  async::BlockingPool pool_{1};
  std::optional<UnpackedImages> images_;
};

TEST_F(UnpackedImagesTest, WhatWasFlushedIsThereAfterTheNextStart) {
  unpack("a");
  EXPECT_TRUE(images_->use("a"));
  flush();
  start();
  EXPECT_TRUE(exists("a/app/main.py"));
  EXPECT_FALSE(images_->use("a")) << "on the disk already";
}

TEST_F(UnpackedImagesTest, WhatWasNotFlushedIsGoneAfterTheNextStart) {
  unpack("a");
  EXPECT_TRUE(images_->use("a"));
  start();
  EXPECT_FALSE(exists("a"));
}

TEST_F(UnpackedImagesTest, HalfAnImageIsGoneAfterTheNextStart) {
  unpack("a.tmp-0123");
  start();
  EXPECT_FALSE(exists("a.tmp-0123"));
}

TEST_F(UnpackedImagesTest, AMarkWithoutItsFolderIsGoneAfterTheNextStart) {
  unpack("a");
  (void)images_->use("a");
  flush();
  std::filesystem::remove_all(root_ / "a");
  start();
  unpack("a");
  EXPECT_TRUE(images_->use("a")) << "this one has not been flushed";
}

TEST_F(UnpackedImagesTest, WhatNobodyUsedForLongIsGoneAfterTheNextStart) {
  unpack("old");
  unpack("used");
  (void)images_->use("old");
  (void)images_->use("used");
  flush();
  clock_.advance(kUnusedImageMax - std::chrono::hours(1));
  start();
  EXPECT_TRUE(exists("old"));
  (void)images_->use("used");
  clock_.advance(std::chrono::hours(2));
  start();
  EXPECT_FALSE(exists("old"));
  EXPECT_TRUE(exists("used/app/main.py"));
}

TEST_F(UnpackedImagesTest, WhatIsUsedAllTheTimeStaysHoweverLongTheDaemonRuns) {
  unpack("a");
  (void)images_->use("a");
  flush();
  for (int day = 0; day < 30; ++day) {
    clock_.advance(std::chrono::hours(24));
    EXPECT_FALSE(images_->use("a"));
  }
  start();
  EXPECT_TRUE(exists("a/app/main.py"));
}

TEST_F(UnpackedImagesTest, WhatIsSetAsideIsRemoved) {
  unpack("a");
  start();
  EXPECT_EQ(entries(), 1U);
  loop_.run_blocking(images_->remove_set_aside());
  EXPECT_EQ(entries(), 0U);
}

TEST_F(UnpackedImagesTest, OneFlushServesAllThatAreNew) {
  unpack("a");
  unpack("b");
  EXPECT_TRUE(images_->use("a"));
  EXPECT_TRUE(images_->use("b"));
  flush();
  start();
  EXPECT_TRUE(exists("a"));
  EXPECT_TRUE(exists("b"));
}

}  // namespace
}  // namespace hearth::runtime

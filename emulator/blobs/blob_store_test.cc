#include "emulator/blobs/blob_store.h"

#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/random_id.h"

namespace hearth::blobs {
namespace {

class BlobStoreTest : public testing::Test {
 public:
  BlobStoreTest() : root_(testing::TempDir() + "blobs-" + base::random_hex(6)) {
    store_ = BlobStore::open(root_, pool_).value();
    loop_.start();
  }
  ~BlobStoreTest() override { std::filesystem::remove_all(root_); }

 protected:
  Blob put(std::string bytes) {
    Result<Blob> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(put_into(std::move(bytes), out));
    return out.value();
  }
  Task<void> put_into(std::string bytes, Result<Blob>& out) {
    out = co_await store_->put(std::move(bytes));
  }

  std::string root_;
  async::Loop loop_{"test"};
  async::BlockingPool pool_{1};
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, KeepsBytesUnderTheirDigest) {
  const Blob blob = put("abc");
  EXPECT_EQ(blob.digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(store_->read(blob.digest, 100).value(), "abc");
  EXPECT_EQ(put("abc").digest, blob.digest);
}

TEST_F(BlobStoreTest, RefusesWhatIsNoDigest) {
  EXPECT_EQ(store_->open_blob("../../etc/passwd").error().code, Code::kInvalid);
  EXPECT_EQ(store_->open_blob(std::string(64, '0')).error().code, Code::kNotFound);
}

TEST_F(BlobStoreTest, AnAbandonedWriterLeavesNothing) {
  {
    auto writer = store_->create().value();
    ASSERT_TRUE(writer.append("half"));
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    EXPECT_TRUE(entry.is_directory()) << entry.path();
  }
}

TEST_F(BlobStoreTest, CollectsWhatNobodyNamesAfterTheGrace) {
  const Blob kept = put("kept");
  const Blob dropped = put("dropped");
  const auto is_live = [&](std::string_view digest) { return digest == kept.digest; };
  EXPECT_EQ(store_->collect_garbage(is_live, std::chrono::hours(1)).value(), 0U);
  EXPECT_EQ(store_->collect_garbage(is_live, std::chrono::seconds(-5)).value(), 7U);
  EXPECT_TRUE(store_->contains(kept.digest));
  EXPECT_FALSE(store_->contains(dropped.digest));
}

}  // namespace
}  // namespace hearth::blobs

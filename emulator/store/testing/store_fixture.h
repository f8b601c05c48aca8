// What the store's tests share: a store, and a way to wait for its tasks.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "emulator/store/sqlite_store.h"
#include "platform/async/loop.h"
#include "platform/base/random_id.h"
#include "platform/resource/well_known.h"

namespace hearth::store {

// A store in a file of its own, with the namespace `demo`; time stands still.
class StoreFixture : public testing::Test {
 public:
  StoreFixture() : path_(testing::TempDir() + "store-" + base::random_hex(6)) {
    loop_.start();
    open();
  }
  ~StoreFixture() override {
    close();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

 protected:
  using ObjectPtr = resource::ObjectPtr;

  void open() {
    auto database = sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value();
    ASSERT_TRUE(sqlite::migrate(database, "store", kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    definitions_ = std::make_unique<resource::DefinitionRegistry>();
    store_ = std::make_unique<SqliteStore>(
        loop_, *writer_, sqlite::Database::open(path_, sqlite::OpenMode::kReadOnly).value(),
        *definitions_, clock_);
    run([](SqliteStore& store) -> Task<void> {
      EXPECT_TRUE(store.load());
      co_await store.create(resource::kNamespaces,
                            resource::new_object(resource::kNamespaces, {"", "demo"}), {});
    }(*store_));
  }

  void close() {
    run(store_->stop());
    run([](std::unique_ptr<SqliteStore>& store) -> Task<void> {
      store.reset();
      co_return;
    }(store_));
    writer_.reset();
  }

  void run(Task<void> task) { loop_.run_blocking(std::move(task)); }

  template <typename T>
  T wait(Task<T> task) {
    std::optional<T> out;
    run([](Task<T> inner, std::optional<T>& result) -> Task<void> {
      result.emplace(co_await std::move(inner));
    }(std::move(task), out));
    return std::move(*out);
  }

  Json config_map(const std::string& name, const std::string& value) {
    Json object = resource::new_object(resource::kConfigMaps, {"demo", name});
    object["data"] = {{"key", value}};
    return object;
  }

  std::string path_;
  base::VirtualClock clock_;
  async::Loop loop_{"store"};
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<resource::DefinitionRegistry> definitions_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace hearth::store

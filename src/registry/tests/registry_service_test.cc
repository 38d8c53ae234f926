#include "registry/registry_service.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "registry/tests/inbox.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

using base::DeviceKey;
using base::Errc;

class ServiceTest : public testing::Test {
 protected:
  void open(const ServiceOptions& options = {}) {
    auto registry = fixture_.open();
    ASSERT_NE(registry, nullptr);
    NewProduct product;
    product.product_key = "pk";
    ASSERT_TRUE(registry->create_product(product));
    NewDevice device;
    device.device_name = "dev1";
    device.device_secret = "secret";
    ASSERT_TRUE(registry->create_devices("pk", std::span(&device, 1)));
    service_ = std::make_unique<RegistryService>(std::move(registry), options);
  }

  SqliteFixture fixture_;
  Inbox inbox_;
  std::unique_ptr<RegistryService> service_;
};

TEST_F(ServiceTest, credential_comes_back_on_the_asking_executor) {
  open();
  service_->start();
  const auto asker = std::this_thread::get_id();
  std::string secret;
  service_->find_credential({"pk", "dev1"}, inbox_, [&](base::Result<Credential> found) {
    EXPECT_EQ(std::this_thread::get_id(), asker);
    ASSERT_TRUE(found && found->device);
    secret = found->device->device_secret;
  });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(secret, "secret");
}

// Whoever asks afterwards finds everything, and it rests again when nobody does.
TEST_F(ServiceTest, rests_once_when_nobody_asks) {
  ServiceOptions options;
  options.rest_after_ms = 5;
  open(options);
  service_->start();
  for (std::uint64_t rests = 1; rests <= 2; ++rests) {
    bool found = false;
    service_->find_credential({"pk", "dev1"}, inbox_,
                              [&](base::Result<Credential> answer) { found = answer && answer->device; });
    EXPECT_TRUE(inbox_.run(1));
    EXPECT_TRUE(found);
    while (service_->counters().rests < rests) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * options.rest_after_ms));
    EXPECT_EQ(service_->counters().rests, rests);
  }
  EXPECT_TRUE(service_->record_online({"pk", "dev1"}, 10, 1, "192.0.2.1:1", {}));
  service_->stop();
  EXPECT_EQ(service_->registry().get_device({"pk", "dev1"})->last_online_ms, 10);
}

TEST_F(ServiceTest, presence_is_written_in_order_and_flushed_at_stop) {
  ServiceOptions options;
  options.presence_gather_ms = 60'000;
  open(options);
  service_->start();
  const DeviceKey key{"pk", "dev1"};
  for (int i = 1; i <= 500; ++i) {
    EXPECT_TRUE(service_->record_online(key, i * 10, static_cast<std::uint64_t>(i), "192.0.2.1:1", {}));
    EXPECT_TRUE(service_->record_offline(key, i * 10 + 5, static_cast<std::uint64_t>(i)));
  }
  EXPECT_TRUE(service_->record_online(key, 9000, 1000, "192.0.2.2:2", {}));
  service_->stop();
  const auto device = service_->registry().get_device(key);
  EXPECT_EQ(device->activated_ms, 10);
  EXPECT_EQ(device->last_online_ms, 9000);
  EXPECT_EQ(device->last_offline_ms, 5005);
  EXPECT_EQ(device->last_address, "192.0.2.2:2");
  EXPECT_EQ(device->status(), DeviceStatus::kOnline);
  EXPECT_EQ(service_->counters().presence_events, 1001U);
  EXPECT_EQ(service_->counters().presence_batches, 1U);
}

TEST_F(ServiceTest, presence_is_written_after_a_moment_without_further_events) {
  open();
  service_->start();
  ASSERT_TRUE(service_->record_online({"pk", "dev1"}, 1000, 1, "192.0.2.1:1", {}));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (service_->counters().presence_batches == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(service_->registry().get_device({"pk", "dev1"})->status(), DeviceStatus::kOnline);
}

TEST_F(ServiceTest, a_change_sees_the_presence_before_it) {
  ServiceOptions options;
  options.presence_gather_ms = 60'000;
  open(options);
  service_->start();
  service_->record_online({"pk", "dev1"}, 1000, 1, "192.0.2.1:1", {});
  DeviceStatus seen = DeviceStatus::kUnactive;
  service_->run<Device>(
      [](Registry& registry) {
        return registry.get_device({"pk", "dev1"});
      },
      inbox_, [&](base::Result<Device> device) { seen = device->status(); });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(seen, DeviceStatus::kOnline);
}

TEST_F(ServiceTest, a_report_sees_the_presence_before_it) {
  ServiceOptions options;
  options.presence_gather_ms = 60'000;
  open(options);
  service_->start();
  std::vector<DeviceStatus> seen;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    service_->record_online({"pk", "dev1"}, 1000, i, "192.0.2.1:1", {});
    if (i == 2) service_->record_offline({"pk", "dev1"}, 1001, i);
    service_->run_report<Device>(
        [](Registry& registry) {
          return registry.get_device({"pk", "dev1"});
        },
        inbox_, [&](base::Result<Device> device) { seen.push_back(device->status()); });
    EXPECT_TRUE(inbox_.run(1));
  }
  EXPECT_EQ(seen, (std::vector{DeviceStatus::kOnline, DeviceStatus::kOffline, DeviceStatus::kOnline}));
}

TEST_F(ServiceTest, a_report_does_not_wait_for_presence_behind_a_long_change) {
  open();
  service_->start();
  std::promise<void> begun, enough;
  service_->run<int>(
      [&](Registry&) -> base::Result<int> {
        begun.set_value();
        enough.get_future().wait();
        return 1;
      },
      inbox_, [](const base::Result<int>&) {});
  begun.get_future().wait();
  service_->record_online({"pk", "dev1"}, 1000, 1, "192.0.2.1:1", {});
  bool answered = false;
  service_->run_report<int>([](Registry&) { return base::Result<int>(1); }, inbox_,
                            [&](const base::Result<int>&) { answered = true; });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_TRUE(answered);
  enough.set_value();
  EXPECT_TRUE(inbox_.run(1));
}

// More than a batch holds: they are written in the order of the calls all the same.
TEST_F(ServiceTest, presence_of_several_batches_keeps_its_order) {
  ServiceOptions options;
  options.presence_gather_ms = 60'000;
  open(options);
  for (int i = 0; i < 10'001; ++i) {
    ASSERT_TRUE(service_->record_offline({"pk", "nobody" + std::to_string(i % 7)}, i, 1));
  }
  service_->start();
  service_->record_online({"pk", "dev1"}, 1000, 1, "192.0.2.1:1", {});
  service_->stop();
  EXPECT_EQ(service_->registry().get_device({"pk", "dev1"})->status(), DeviceStatus::kOnline);
  EXPECT_EQ(service_->counters().presence_batches, 3U);
  EXPECT_EQ(service_->counters().presence_waiting, 0U);
}

// A batch is written for each change; what an old device left behind several of them must not come to the next one.
TEST_F(ServiceTest, changes_run_after_all_presence_before_them) {
  open();
  const DeviceKey key{"pk", "dev1"};
  for (int i = 0; i < 12'000; ++i) ASSERT_TRUE(service_->record_offline({"pk", "nobody"}, i, 1));
  ASSERT_TRUE(service_->record_online(key, 1000, 1, "192.0.2.1:1", {}));
  std::vector<DeviceStatus> seen;
  service_->run<Device>(
      [key](Registry& registry) -> base::Result<Device> {
        auto device = registry.get_device(key);
        if (auto ok = registry.delete_device(key); !ok) return tl::unexpected(ok.error());
        return device;
      },
      inbox_, [&](base::Result<Device> device) { seen.push_back(device->status()); });
  service_->run<std::vector<Device>>(
      [](Registry& registry) {
        NewDevice device;
        device.device_name = "dev1";
        return registry.create_devices("pk", std::span(&device, 1));
      },
      inbox_, [&](base::Result<std::vector<Device>> devices) { seen.push_back(devices->front().status()); });
  service_->start();
  EXPECT_TRUE(inbox_.run(2));
  service_->stop();
  EXPECT_EQ(seen, (std::vector{DeviceStatus::kOnline, DeviceStatus::kUnactive}));
  EXPECT_EQ(service_->registry().get_device(key)->status(), DeviceStatus::kUnactive);
  EXPECT_EQ(service_->counters().presence_batches, 4U);
}

// Changes do not wait for what was recorded after them.
TEST_F(ServiceTest, a_change_does_not_wait_for_presence_behind_it) {
  open();
  std::uint64_t batches = 0;
  service_->run<int>(
      [&](Registry&) -> base::Result<int> {
        batches = service_->counters().presence_batches;
        return 1;
      },
      inbox_, [](const base::Result<int>&) {});
  for (int i = 0; i < 12'000; ++i) ASSERT_TRUE(service_->record_offline({"pk", "nobody"}, i, 1));
  service_->start();
  EXPECT_TRUE(inbox_.run(1));
  service_->stop();
  EXPECT_EQ(batches, 1U);
  EXPECT_EQ(service_->counters().presence_batches, 3U);
}

TEST_F(ServiceTest, full_queues_answer_clearly) {
  ServiceOptions options;
  options.lookups_max = 1;
  options.changes_max = 1;
  options.presence_max = 2;
  open(options);  // not started: nothing drains
  std::vector<Errc> errors;
  const auto note = [&](base::Result<Credential> found) {
    errors.push_back(found ? Errc::kInternal : found.error().code);
  };
  service_->find_credential({"pk", "dev1"}, inbox_, note);
  service_->find_credential({"pk", "dev1"}, inbox_, note);
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(errors, std::vector<Errc>{Errc::kUnavailable});
  EXPECT_TRUE(service_->record_offline({"pk", "dev1"}, 1, 1));
  EXPECT_TRUE(service_->record_offline({"pk", "dev1"}, 2, 2));
  EXPECT_FALSE(service_->record_offline({"pk", "dev1"}, 3, 3));
  EXPECT_EQ(service_->counters().presence_dropped, 1U);
  service_->stop();
  EXPECT_TRUE(inbox_.run(1));  // the one that waited is answered too
  EXPECT_EQ(errors.size(), 2U);
}

TEST_F(ServiceTest, who_signs_in_does_not_wait_behind_reports) {
  ServiceOptions options;
  options.reports_max = 2;
  open(options);
  service_->start();
  std::promise<void> begun, enough;
  int answered = 0, refused = 0;
  const auto done = [&](const base::Result<int>& result) { ++(result ? answered : refused); };
  service_->run_report<int>(
      [&](Registry&) -> base::Result<int> {
        begun.set_value();
        enough.get_future().wait();
        return 1;
      },
      inbox_, done);
  begun.get_future().wait();  // it has left the queue
  for (int i = 0; i < 3; ++i) service_->run_report<int>([](Registry&) { return base::Result<int>(1); }, inbox_, done);
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(refused, 1) << "the queue is short";
  bool found = false;
  service_->find_credential({"pk", "dev1"}, inbox_,
                            [&](base::Result<Credential> result) { found = result.has_value(); });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_TRUE(found);
  EXPECT_EQ(answered, 0);
  EXPECT_EQ(service_->counters().reports_waiting, 2U);
  enough.set_value();
  EXPECT_TRUE(inbox_.run(3));
  EXPECT_EQ(answered, 3);
}

TEST_F(ServiceTest, after_stop_everything_is_unavailable) {
  open();
  service_->start();
  service_->stop();
  Errc code = Errc::kInternal;
  service_->find_credential({"pk", "dev1"}, inbox_, [&](base::Result<Credential> found) { code = found.error().code; });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(code, Errc::kUnavailable);
  EXPECT_FALSE(service_->record_offline({"pk", "dev1"}, 1, 1));
}

TEST_F(ServiceTest, every_queued_operation_is_answered_when_stopping) {
  open();
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    service_->run<Product>([](Registry& registry) { return registry.create_product({}); }, inbox_,
                           [&](base::Result<Product> product) { answered += product ? 1 : 0; });
  }
  service_->start();
  service_->stop();
  EXPECT_TRUE(inbox_.run(100));
  EXPECT_EQ(answered, 100);
}

TEST_F(ServiceTest, listeners_hear_of_changes_before_the_answer) {
  open();
  std::atomic<int> heard{0};
  service_->on_change([&](std::span<const Change> changes) {
    for (const Change& change : changes) heard += change.kind == Change::Kind::kDeviceDisabled ? 1 : 0;
  });
  service_->start();
  int heard_at_answer = -1;
  service_->run<Device>(
      [](Registry& registry) {
        DeviceChange disable;
        disable.enabled = false;
        return registry.update_device({"pk", "dev1"}, disable);
      },
      inbox_, [&](base::Result<Device>) { heard_at_answer = heard; });
  EXPECT_TRUE(inbox_.run(1));
  EXPECT_EQ(heard_at_answer, 1);
}

}  // namespace
}  // namespace mooring::registry

// The doctor with a registry at hand: what one case and one second may cost, measured with the machine's clock.
#include "doctor/registry_examiner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "registry/tests/registry_fixture.h"

namespace mooring::doctor {
namespace {

const base::DeviceKey kDevice{"a1DoctorPk1", "Meter-7"};
// What sanitizers and a busy machine may add to the time of a case.
constexpr base::MonoMs kAllowanceMs = 500;

class RegistryExaminerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    registry_ = fixture_.open();
    ASSERT_NE(registry_, nullptr);
    registry::NewProduct product;
    product.product_key = kDevice.product_key;
    product.product_secret = "ProductSecret123";
    ASSERT_TRUE(registry_->create_product(product));
    std::vector<registry::ImportRow> rows;
    rows.push_back({kDevice.product_key, kDevice.device_name, "0a1B2c3D4e5F60718293a4b5c6d7e8f9", {}, {}, true});
    // As many others as are looked at, with the longest names there are.
    for (std::size_t i = 0; i < kNeighboursMax; ++i) {
      const std::string number = std::to_string(i);
      rows.push_back({kDevice.product_key, number + std::string(64 - number.size(), 'n'), number, {}, {}, true});
    }
    ASSERT_TRUE(registry_->import_devices(rows, false));
  }

  static journal::Event wrong_signature(int number, std::size_t base_bytes) {
    journal::Event event;
    event.device = kDevice;
    event.name = "wrong-signature";
    event.attempt = std::make_unique<journal::SignInAttempt>();
    event.attempt->user_name = kDevice.device_name + "&" + kDevice.product_key;
    event.attempt->client_id = std::string(base_bytes, 'x') + std::to_string(number) + "|timestamp=1700000000000|";
    event.attempt->password = std::string(64, 'a');
    return event;
  }

  registry::SqliteFixture fixture_;
  std::unique_ptr<registry::Registry> registry_;
};

TEST_F(RegistryExaminerTest, TheDearestCasesTakeTheirTimeAndNoMore) {
  RegistryExaminer examiner(*registry_, {}, base::system_clock());
  base::MonoMs longest = 0;
  int examined = 0;
  for (int i = 0; i < 10; ++i) {
    journal::Event event = wrong_signature(i, 900);
    if (i % 2 == 1) {  // a name that does not exist is compared with all there are
      event.name = "unknown-device";
      event.device.device_name = std::string(128, 'm');
    }
    const base::MonoMs begun = base::system_clock().mono_ms();
    if (examiner.examine(event)) ++examined;
    longest = std::max(longest, base::system_clock().mono_ms() - begun);
  }
  EXPECT_GT(examined, 0);
  RecordProperty("longest_case_ms", static_cast<int>(longest));
  EXPECT_LE(longest, kCaseMs + kAllowanceMs);
}

// Time that passes while the registry is asked counts, too: a clock that jumps by a fifth of a second at every look.
class SlowClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_ms_ += step_ms; }
  base::WallMs wall_ms() const override { return 0; }
  base::MonoMs step_ms = 0;

 private:
  mutable base::MonoMs now_ms_ = 1'000'000;
};

TEST_F(RegistryExaminerTest, ASecondHasItsShareOfTime) {
  SlowClock clock;
  RegistryExaminer examiner(*registry_, {}, clock);
  journal::Event event = wrong_signature(1, 10);
  event.name = "ticket-expired";  // no HMAC at all
  int examined = 0;
  clock.step_ms = 100;
  for (int i = 0; i < 4; ++i) examined += examiner.examine(event) ? 1 : 0;  // each sees 100 ms go by, and so its caller
  EXPECT_EQ(examined, 3) << "300 ms of this second were spent";
  clock.step_ms = 1000;
  EXPECT_TRUE(examiner.examine(event)) << "the next second";
}

TEST_F(RegistryExaminerTest, ACaseThatIsDearInHmacsLeavesLessForOthers) {
  SlowClock clock;  // stands still
  RegistryExaminer examiner(*registry_, {}, clock);
  int examined = 0;
  for (int i = 0; i < 100; ++i) examined += examiner.examine(wrong_signature(i, 10)) ? 1 : 0;
  EXPECT_GE(examined, 8);
  EXPECT_LE(examined, 30) << "60,000 HMACs a second";
}

}  // namespace
}  // namespace mooring::doctor

// RegistryExaminer: the doctor with the registry at hand, as the journal asks it. On the journal's thread; the registry
// must outlive it.
#pragma once

#include <mutex>
#include <optional>

#include "base/clock.h"
#include "doctor/diagnose.h"
#include "journal/examiner.h"
#include "registry/registry.h"

namespace mooring::doctor {

class RegistryExaminer final : public journal::Examiner {
 public:
  // Over all cases; when they are used up, the others wait.
  static constexpr std::uint32_t kHmacsPerSecond = 60'000;
  static constexpr base::MonoMs kSpentPerSecondMs = 300;  // likewise: a case may cost more than its HMACs

  RegistryExaminer(registry::Registry& registry, Policy policy, const base::Clock& clock)
      : registry_(registry), clock_(clock), policy_(std::move(policy)) {}

  // Any thread; for the cases that come.
  void set_policy(Policy policy);

  std::optional<journal::Diagnosis> examine(const journal::Event& event) override;
  bool is_known(const base::DeviceKey& device) override;

 private:
  Policy policy() const;
  RegistryFacts facts_of(const journal::Event& event);
  void find_meant(const base::DeviceKey& device, RegistryFacts& facts);

  registry::Registry& registry_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  Policy policy_;
  base::MonoMs second_ms_ = 0;
  std::uint32_t used_ = 0;     // of this second
  base::MonoMs spent_ms_ = 0;  // likewise
};

}  // namespace mooring::doctor

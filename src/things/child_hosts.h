// ChildHosts: where the children of every loop are hosted, and how the loops are reached. Filled once before they run;
// then any thread.
#pragma once

#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/executor.h"
#include "base/ids.h"
#include "base/unique_function.h"
#include "session/ports.h"
#include "things/child_host.h"

namespace mooring::things {

class ChildHosts {
 public:
  // The loops that are homes, by id. They outlive every call.
  struct Place {
    base::Executor* loop = nullptr;
    ChildHost* host = nullptr;
  };
  void set_homes(std::vector<Place> homes) { homes_ = std::move(homes); }

  session::LoopId home_of(const base::DeviceKeyView& child) const {
    return session::device_home_loop(child.product_key, child.device_name, static_cast<session::LoopId>(homes_.size()));
  }
  // `call` runs on that loop, later, behind what the caller posted before.
  template <class Call>
  void post(session::LoopId home, Call call) const {
    MOORING_ASSERT(home < homes_.size());
    homes_[home].loop->post([host = homes_[home].host, call = std::move(call)]() mutable { call(*host); });
  }

 private:
  std::vector<Place> homes_;
};

}  // namespace mooring::things

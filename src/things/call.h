// A request of a device on its way to its answer: private to the module.
#pragma once

#include <memory>
#include <string>

#include "things/services.h"

namespace mooring::things {

struct Services::Call {
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (under_way != nullptr) --*under_way;
  }

  std::weak_ptr<broker::Client> client;
  base::DeviceKey gateway;  // that asks
  std::string address;      // of its connection
  journal::Channel channel = journal::Channel::kNone;
  std::string topic;  // of the request
  std::string id;
  bool wants_answer = true;
  std::shared_ptr<std::uint32_t> under_way;  // Children::requests_under_way; null: not counted yet
};

// topology_requests.cc: what a gateway is told of an error of registry::Topology.
int topology_code_of(const base::Error& error);

}  // namespace mooring::things

// What waits in the commit queue: the calls of SessionStore as data. Small ones lie in the queue itself because there
// are many of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/executor.h"
#include "session/ports.h"

namespace mooring::storage {

struct AppendOperation {
  session::QueueItemRef item;
  base::Executor* reply_to = nullptr;
  session::AppendListener* listener = nullptr;
};

struct RemoveOperation {
  session::SessionNumber number = 0;
  std::uint64_t sequence = 0;
};

struct DropOperation {
  session::SessionNumber number = 0;
};

// save() and erase()
struct RecordOperation {
  session::SessionKey key;
  session::Epoch epoch = 0;
  session::SessionNumber number = 0;
  std::optional<std::string> value;  // encoded; nothing: erase
  base::Executor* reply_to = nullptr;
  session::SessionStore::Done done;
};

struct WriteOperation {
  std::vector<session::StoreOperation> parts;
  base::Executor* reply_to = nullptr;
  session::SessionStore::Done done;
};

struct RetainedOperation {
  mqtt::MessageRef message;
  bool removed = false;
  base::Executor* reply_to = nullptr;
  session::SessionStore::Done done;
};

// read() and measure(); one of the callbacks is set.
struct ReadOperation {
  session::SessionNumber number = 0;
  std::uint64_t from_sequence = 0;
  std::size_t max_messages = 0;
  std::size_t max_bytes = 0;
  base::Executor* reply_to = nullptr;
  session::Callback<base::Result<session::SessionStore::Page>> page;
  session::Callback<base::Result<session::QueueSize>> size;
};

using Operation =
    std::variant<AppendOperation, RemoveOperation, DropOperation, std::unique_ptr<RecordOperation>,
                 std::unique_ptr<WriteOperation>, std::unique_ptr<RetainedOperation>, std::unique_ptr<ReadOperation>>;

}  // namespace mooring::storage

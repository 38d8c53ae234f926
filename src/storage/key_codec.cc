#include "storage/key_codec.h"

#include "storage/big_endian.h"

namespace mooring::storage {
namespace {

std::uint64_t partition_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  hash ^= hash >> 32;
  hash ^= hash >> 16;
  return hash & 0xFFFF;
}

std::string named_number(std::string_view name, std::uint64_t number) {
  std::string key(name);
  put_number(key, number, 8);
  return key;
}

std::uint64_t number_at(std::string_view key, std::size_t offset, std::size_t bytes) {
  if (key.size() < offset + bytes) return 0;
  return StoredReader(key.substr(offset)).number(bytes);
}

}  // namespace

std::string partitioned_key(std::string_view text) {
  std::string key;
  key.reserve(2 + text.size());
  put_number(key, partition_of(text), 2);
  key.append(text);
  return key;
}

std::string session_prefix(session::SessionNumber number) {
  std::string bytes;
  put_number(bytes, number, 8);
  return partitioned_key(bytes);
}

std::string queue_key(session::SessionNumber number, std::uint64_t sequence) {
  std::string key = session_prefix(number);
  put_number(key, sequence, 8);
  return key;
}

std::string received_key(session::SessionNumber number, std::uint16_t packet_id) {
  std::string key = session_prefix(number);
  put_number(key, packet_id, 2);
  return key;
}

std::string blob_count_key(BlobId id) {
  return named_number("c", id);
}
std::string blob_message_key(BlobId id) {
  return named_number("m", id);
}
std::string drop_key(session::SessionNumber number) {
  return named_number("drop", number);
}

std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<std::uint8_t>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<std::uint8_t>(end.back()) + 1);
  return end;
}

session::SessionNumber number_in(std::string_view queue_or_received_key) {
  return number_at(queue_or_received_key, 2, 8);
}
std::uint64_t sequence_in(std::string_view queue_key) {
  return number_at(queue_key, kSessionPrefixBytes, 8);
}
std::uint16_t packet_id_in(std::string_view received_key) {
  return static_cast<std::uint16_t>(number_at(received_key, kSessionPrefixBytes, 2));
}
std::uint64_t id_in(std::string_view blob_or_drop_key) {
  return blob_or_drop_key.size() < 8 ? 0 : number_at(blob_or_drop_key, blob_or_drop_key.size() - 8, 8);
}

}  // namespace mooring::storage

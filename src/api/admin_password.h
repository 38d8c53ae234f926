// Private to the module: passwords in the bodies of requests.
#pragma once

#include <optional>
#include <string>

#include "api/admin_request.h"
#include "crypto/hmac.h"

namespace mooring::api {

inline constexpr std::size_t kPasswordBytesMax = 1024;

// Holds a password for as long as it is needed.
class Password {
 public:
  explicit Password(std::string text) : text_(std::move(text)) {}
  ~Password() { crypto::cleanse(text_); }
  Password(const Password&) = delete;
  Password& operator=(const Password&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Of somebody new: as it was given, or made up, which has to be told then.
class NewPassword : public Password {
 public:
  explicit NewPassword(std::optional<std::string> given);
  bool made_up() const { return made_up_; }

 private:
  const bool made_up_;
};

// Takes tens of milliseconds.
ApiResult<std::string> hash_of(const Password& password);

}  // namespace mooring::api

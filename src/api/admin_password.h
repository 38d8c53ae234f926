// Private to the module: passwords in the bodies of requests.
#pragma once

#include <string>

#include "api/admin_request.h"
#include "crypto/hmac.h"

namespace mooring::api {

inline constexpr std::size_t kPasswordBytesMax = 1024;
inline constexpr std::size_t kGeneratedPasswordCharacters = 24;  // 142 bits: nobody has to remember it

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

// Takes tens of milliseconds.
ApiResult<std::string> hash_of(const Password& password);

}  // namespace mooring::api

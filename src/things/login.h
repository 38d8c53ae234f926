// A login of one child or of a batch on its way: private to the module.
#pragma once

#include <vector>

#include "things/children.h"

namespace mooring::things {

struct Children::Login {
  std::vector<auth::ChildSignIn> children;
  LoginDone done;
  std::size_t left = 0;             // answers that are to come
  std::vector<Number> joined = {};  // those that are online by now, in case that others fail
  int code = 200;                   // of the first that failed
  base::DeviceKey failed = {};
};

}  // namespace mooring::things

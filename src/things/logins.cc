// Children that sign in and out on their gateway's connection: platform.md 7.3.
#include <algorithm>

#include "things/login.h"

namespace mooring::things {

// One that is new is checked where it joins. Of a batch all are checked first, for all or none of them sign in; and so
// is one that is online here already: its gateway only wants to be sure.
void Children::log_in(std::vector<auth::ChildSignIn> children, LoginDone done) {
  auto login = std::make_shared<Login>();
  login->children = std::move(children);
  login->done = std::move(done);
  // Whoever is signing in or out right now is asked for too soon.
  for (const auth::ChildSignIn& child : login->children) {
    const auto known = by_device_.find(child.device);
    if (known != by_device_.end() && !is_settled(known->second)) return login->done(429, child.device);
  }
  const bool at_once = login->children.size() == 1 && !by_device_.contains(login->children[0].device);
  if (at_once) {
    join_all(login);
  } else {
    check_all(login);
  }
}

void Children::check_all(const std::shared_ptr<Login>& login) {
  login->left = login->children.size();
  for (std::size_t index = 0; index < login->children.size(); ++index) {
    const auth::ChildSignIn& child = login->children[index];
    const Number number = ++last_number_;
    checks_[number] = {login, index};
    parts_.hosts.post(parts_.hosts.home_of(child.device),
                      [link = link_, number, child](ChildHost& host) { host.check(link, number, child); });
  }
}

void Children::on_checked(const ChildOutput& output) {
  const auto found = checks_.find(output.child);
  if (found == checks_.end()) return;
  const std::shared_ptr<Login> login = found->second.login;
  if (output.code != 200) fail(*login, output.code, login->children[found->second.index].device);
  checks_.erase(found);
  if (--login->left > 0) return;
  if (login->code == 200) {
    join_all(login);
  } else {
    finish(login);
  }
}

void Children::join_all(const std::shared_ptr<Login>& login) {
  std::vector<auth::ChildSignIn> fresh;
  for (auth::ChildSignIn& child : login->children) {
    const auto known = by_device_.find(child.device);
    if (known == by_device_.end()) {
      fresh.push_back(std::move(child));
    } else if (!is_settled(known->second)) {  // another request was faster
      fail(*login, 429, child.device);
    }
  }
  const std::size_t most = parts_.limits.children_per_gateway;
  if (most != 0 && !fresh.empty() && children_.size() + fresh.size() > most) fail(*login, 428, fresh.front().device);
  if (login->code != 200) fresh.clear();
  login->left = fresh.size();
  if (fresh.empty()) return finish(login);
  const std::uint64_t arrival = parts_.broker.arrival();
  for (auth::ChildSignIn& child : fresh) {
    const Number number = add_child(child.device, login);
    post(*find(number), [link = link_, number, arrival, child = std::move(child)](ChildHost& host) mutable {
      host.join(link, number, std::move(child), arrival);
    });
  }
}

void Children::on_joined(const ChildOutput& output) {
  const auto found = children_.find(output.child);
  if (found == children_.end() || found->second.login == nullptr) return;
  const std::shared_ptr<Login> login = std::exchange(found->second.login, nullptr);
  if (output.code == 200) {
    login->joined.push_back(output.child);
    parts_.sign_in.count_child(found->second.device);
  } else {
    fail(*login, output.code, found->second.device);
    remove_child(output.child);
  }
  if (--login->left == 0) finish(login);
}

void Children::fail(Login& login, int code, const base::DeviceKey& child) {
  if (login.code != 200) return;
  login.code = code;
  login.failed = child;
}

void Children::finish(const std::shared_ptr<Login>& login) {
  if (login->code != 200) {
    for (const Number number : login->joined) sign_out(number);
  }
  login->done(login->code, login->failed);
}

std::optional<base::DeviceKey> Children::log_out(const std::vector<base::DeviceKey>& children) {
  std::vector<Number> numbers;
  for (const base::DeviceKey& device : children) {
    const auto found = by_device_.find(device);
    if (found == by_device_.end() || !is_settled(found->second)) return device;
    numbers.push_back(found->second);
  }
  for (const Number number : numbers) sign_out(number);
  return std::nullopt;
}

}  // namespace mooring::things

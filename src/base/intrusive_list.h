// A doubly linked list whose links live in the elements: O(1) insert and unlink, no allocation.
// An element may be in one list per link; it unlinks itself when destroyed. One thread.
#pragma once

namespace mooring::base {

class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <class T, class Tag>
  friend class IntrusiveList;
  ListLink* prev_ = nullptr;
  ListLink* next_ = nullptr;
};

// T must derive from ListHook<Tag>; the tag tells apart the lists one element can be in.
template <class Tag>
class ListHook : public ListLink {};

template <class T, class Tag>
class IntrusiveList {
 public:
  IntrusiveList() { head_.prev_ = head_.next_ = &head_; }
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
    head_.prev_ = head_.next_ = nullptr;
  }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  void push_back(T& element) {
    ListLink& link = static_cast<ListHook<Tag>&>(element);
    link.unlink();
    link.prev_ = head_.prev_;
    link.next_ = &head_;
    head_.prev_->next_ = &link;
    head_.prev_ = &link;
  }
  void push_front(T& element) {
    ListLink& link = static_cast<ListHook<Tag>&>(element);
    link.unlink();
    link.prev_ = &head_;
    link.next_ = head_.next_;
    head_.next_->prev_ = &link;
    head_.next_ = &link;
  }
  T* front() { return empty() ? nullptr : from_link(head_.next_); }
  T* back() { return empty() ? nullptr : from_link(head_.prev_); }
  T* pop_front() {
    if (empty()) return nullptr;
    T* element = from_link(head_.next_);
    static_cast<ListHook<Tag>&>(*element).unlink();
    return element;
  }
  // Moves everything of `other` to the end of this list; O(1).
  void splice_back(IntrusiveList& other) {
    if (other.empty()) return;
    other.head_.next_->prev_ = head_.prev_;
    head_.prev_->next_ = other.head_.next_;
    other.head_.prev_->next_ = &head_;
    head_.prev_ = other.head_.prev_;
    other.head_.prev_ = other.head_.next_ = &other.head_;
  }

 private:
  static T* from_link(ListLink* link) { return static_cast<T*>(static_cast<ListHook<Tag>*>(link)); }
  ListLink head_;
};

}  // namespace mooring::base

// An intrusive ring of nodes that unlink themselves when they die. No allocation, no ownership.
// One thread at a time; the owner of the nodes decides which.
#pragma once

namespace godwit::net {

/// In at most one List at a time. Neither copied nor moved: others point at it.
class ListNode {
public:
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    ~ListNode() { unlink(); }

    [[nodiscard]] bool is_linked() const { return next_ != this; }
    void unlink() {
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = this;
        next_ = this;
    }

private:
    template <class Node>
    friend class List;
    ListNode* prev_ = this;
    ListNode* next_ = this;
};

/// Nodes in the order they were added. Node derives from ListNode. Dying leaves the nodes unlinked.
template <class Node>
class List {
public:
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() {
        while (head_.is_linked()) {
            head_.next_->unlink();
        }
    }

    [[nodiscard]] bool is_empty() const { return !head_.is_linked(); }
    void push_back(Node& node) {
        ListNode& link = node;
        link.unlink();
        link.prev_ = head_.prev_;
        link.next_ = &head_;
        head_.prev_->next_ = &link;
        head_.prev_ = &link;
    }
    /// Null when empty.
    Node* front() { return is_empty() ? nullptr : static_cast<Node*>(head_.next_); }
    Node* back() { return is_empty() ? nullptr : static_cast<Node*>(head_.prev_); }
    Node* pop_front() {
        Node* node = front();
        if (node != nullptr) {
            static_cast<ListNode*>(node)->unlink();
        }
        return node;
    }
    /// Moves all of `other` behind what is here.
    void append(List& other) {
        while (Node* node = other.pop_front()) {
            push_back(*node);
        }
    }
    template <class Visit>
    void each(Visit visit) const {
        for (const ListNode* at = head_.next_; at != &head_; at = at->next_) {
            visit(*static_cast<const Node*>(at));
        }
    }

private:
    ListNode head_;
};

}  // namespace godwit::net

// A mailbox that is searched: the session's selected one, with the numbers its client knows, or any
// other that is open. Own shard.
#pragma once

#include <memory>
#include <utility>

#include "serve/imap/selected.h"

namespace godwit::serve::imap_desk {

class SearchScopeView {
public:
    /// Outlives it: a session leaves its mailbox only between commands.
    explicit SearchScopeView(Selected* selected) : selected_(selected) {}
    /// What is in it now is all there is, numbered from 1.
    explicit SearchScopeView(std::shared_ptr<OpenMailbox> mailbox) : mailbox_(std::move(mailbox)) {}

    [[nodiscard]] const store::MailboxView& view() const {
        return selected_ != nullptr ? selected_->view() : mailbox_->view();
    }
    [[nodiscard]] std::size_t known_rows() const {
        return selected_ != nullptr ? selected_->known_rows() : view().rows().size();
    }
    [[nodiscard]] std::uint32_t exists() const {
        return selected_ != nullptr ? selected_->exists()
                                    : static_cast<std::uint32_t>(view().rows().size());
    }
    [[nodiscard]] Uid last_uid() const {
        if (selected_ != nullptr) {
            return selected_->last_uid();
        }
        return view().rows().empty() ? Uid(0) : view().rows().back().uid;
    }
    [[nodiscard]] std::uint32_t number_at(std::size_t index, Uid uid) const {
        return selected_ != nullptr ? selected_->number_at(index, uid)
                                    : static_cast<std::uint32_t>(index + 1);
    }
    [[nodiscard]] bool is_recent(Uid uid) const {
        return selected_ != nullptr ? selected_->is_recent(uid) : uid > mailbox_->recent_after();
    }
    /// "$" names messages of the selected mailbox alone (RFC 5182 2).
    [[nodiscard]] imap::NumberSet uids_of(const imap::SequenceSet& set) const {
        return selected_ != nullptr ? selected_->uids_of(set, last_uid().value())
                                    : set.resolve(last_uid().value());
    }

private:
    Selected* selected_ = nullptr;
    std::shared_ptr<OpenMailbox> mailbox_;
};

}  // namespace godwit::serve::imap_desk

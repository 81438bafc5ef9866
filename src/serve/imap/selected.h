// The selected mailbox of one session: the only place that knows sequence numbers, and which of
// them the client has been told. RFC 3501 2.3.1, 5.2, 5.5, 7.3, 7.4.1; RFC 2180; RFC 7162 3.2.10;
// Q6. What the client is told of changes is in telling.cc, the rest in selected.cc.
//
// What the client knows is the shared view up to the last uid it was told of, plus the "ghosts":
// messages that are expunged but whose EXPUNGE was not sent yet. So numbers cost no memory while
// nothing is expunged behind the session's back. Own shard.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "serve/imap/account_room.h"
#include "serve/imap/feature.h"
#include "serve/imap/live_search.h"
#include "store/mailbox/rights.h"
#include "wire/imap/notify.h"
#include "wire/imap/seqset.h"
#include "wire/imap/writer.h"

namespace godwit::serve::imap_desk {

enum class Access : std::uint8_t { ReadWrite, ReadOnly };
/// How a command names messages: by sequence number or by uid.
enum class Numbering : std::uint8_t { Sequence, Uid };
/// Whether the command under way may tell of expunged messages. RFC 3501 7.4.1.
enum class Expunges : std::uint8_t { Hold, Tell };

/// Messages that a command names, rising.
struct Targets {
    std::vector<Uid> uids;  ///< Those that are still there.
    bool has_gone = false;  ///< A sequence number named one that is expunged meanwhile.
};

/// What of a row a FETCH response shall say.
struct RowItems {
    bool uid = false;
    bool flags = false;
    bool mod_seq = false;
};

class Selected {
public:
    /// The client is told of everything that is in the view now by describe(). `features` is what
    /// the session has enabled, and outlives this. `wake` is called when there is something to
    /// tell.
    Selected(std::shared_ptr<AccountRoom> room, Opened opened, std::string name, Access access,
             store::Rights rights, const Features* features, std::move_only_function<void()> wake);

    [[nodiscard]] AccountRoom& room() { return *room_; }
    /// What the client called it when it was selected.
    [[nodiscard]] const std::string& name() const { return name_; }
    /// What the client may do here.
    [[nodiscard]] store::Rights rights() const { return rights_; }
    /// Tells what flags may be changed, where that is not as it was. `covered`: access_changes() of
    /// before the rights were read. RFC 4314 5.1.1.
    void set_rights(store::Rights rights, std::uint64_t covered, imap::ResponseWriter& out);
    /// Changes of the mailbox's access list since it was selected.
    [[nodiscard]] std::uint64_t access_changes() const { return access_changes_; }
    [[nodiscard]] bool has_stale_rights() const { return access_known_ < access_changes_; }

    [[nodiscard]] const store::MailboxView& view() const { return mailbox_->view(); }
    [[nodiscard]] OpenMailbox& mailbox() { return *mailbox_; }
    [[nodiscard]] const std::shared_ptr<OpenMailbox>& shared_mailbox() const { return mailbox_; }
    /// Rows were there when it was selected, or settle() was called. Before, nothing may be asked
    /// or told that names messages (Conversation::need_rows).
    [[nodiscard]] bool is_settled() const { return is_settled_; }
    /// The view has its rows now. False when they are not those that EXISTS counted.
    [[nodiscard]] bool settle();
    [[nodiscard]] bool is_read_only() const { return access_ == Access::ReadOnly; }
    /// The client is told [READ-ONLY]: nothing that others see can be changed. RFC 4314 5.2: a
    /// \Seen that each has for himself does not count. Who is told so takes \Recent from nobody.
    [[nodiscard]] bool is_told_read_only() const;
    [[nodiscard]] bool is_deleted() const { return view().is_deleted(); }
    /// The number that EXISTS last said.
    [[nodiscard]] std::uint32_t exists() const {
        return static_cast<std::uint32_t>(known_ + ghosts_.size());
    }
    [[nodiscard]] std::uint32_t recent_count() const;
    /// Sequence number of the first message without \Seen.
    [[nodiscard]] std::optional<std::uint32_t> first_unseen() const;
    [[nodiscard]] Uid last_uid() const { return last_uid_; }

    /// nullopt: a sequence number beyond EXISTS, which is BAD (RFC 3501 9, seq-number).
    [[nodiscard]] std::optional<Targets> resolve(const imap::SequenceSet& set,
                                                 Numbering numbering) const;
    /// RFC 5182: what "$" stands for. Those that go leave it, as their uids never come again.
    void save(imap::NumberSet uids) { saved_ = std::move(uids); }
    /// The uids that a set names, of those that are or were there up to `largest`.
    [[nodiscard]] imap::NumberSet uids_of(const imap::SequenceSet& set,
                                          std::uint32_t largest) const {
        return set.is_saved() ? saved_ : set.resolve(largest);
    }
    /// Of a message that is in the view and known to the client; `index` is its row's.
    [[nodiscard]] std::uint32_t number_at(std::size_t index, Uid uid) const;
    /// Rows of the view that the client knows: indices below.
    [[nodiscard]] std::size_t known_rows() const { return known_; }
    [[nodiscard]] bool is_recent(Uid uid) const {
        return !recent_.empty() && recent_.contains(uid.value());
    }

    /// "* n FETCH (": the start of every FETCH response.
    void begin_fetch(imap::ResponseWriter& out, std::size_t index, Uid uid) const;
    /// A whole FETCH response of what the row knows.
    void write_row(imap::ResponseWriter& out, std::size_t index, const store::MessageRow& row,
                   RowItems items) const;
    /// What a FETCH response says that nobody asked for, and that of STORE. RFC 7162 3.2.4: UID and
    /// MODSEQ once the client knows of mod-sequences.
    [[nodiscard]] RowItems update_items(Numbering numbering) const;
    /// What the client takes for there and is expunged. Rising.
    [[nodiscard]] std::span<const Uid> ghosts() const { return ghosts_; }
    /// RFC 7162 3.2: the client was told of all changes up to here.
    [[nodiscard]] ModSeq told_mod_seq() const;
    /// "FLAGS (...)" of a row.
    void write_flags(imap::ResponseWriter& out, const store::MessageRow& row) const;
    /// FLAGS and PERMANENTFLAGS lines.
    void write_flag_lists(imap::ResponseWriter& out);
    /// The same, when there are keywords that the client was not told of.
    void tell_keywords(imap::ResponseWriter& out) {
        if (shown_keywords().size() != told_keywords_) {
            write_flag_lists(out);
        }
    }

    /// The client learns (or must not learn) of a flag change by the command's own answer.
    void forget_change(const std::vector<Uid>& uids, ModSeq mod_seq);
    /// Writes what the client does not know yet and may now; true when the writer is full and more
    /// is to be told. Keywords are fresh.
    bool announce(imap::ResponseWriter& out, Expunges expunges);
    /// From now on announce() tells only these of kMessageEvents; the rest waits. RFC 5465 3.1.
    void tell_only(imap::NotifyEvents events) { told_events_ = events; }
    /// The next announce() tells expunges whatever NOTIFY said: the client did them itself.
    void tell_own_expunges() { tells_own_expunges_ = true; }
    /// Something is to be told that announce() would write, or of a live search.
    [[nodiscard]] bool has_news() const;
    [[nodiscard]] LiveSearches& live_searches() { return live_searches_; }

private:
    struct FlagChange {
        Uid uid;
        ModSeq mod_seq;
    };
    void on_change(const store::AccountChange& change);
    [[nodiscard]] bool is_visited() const { return view().user() != view().account(); }
    void meet_keywords(std::span<const store::MessageRow> rows);
    [[nodiscard]] std::vector<std::string> shown_keywords() const;
    [[nodiscard]] bool is_others_seen(const store::MessageFlagsChanged& changed, Uid uid) const;
    void note_flags(const store::MessageFlagsChanged& changed);
    void touch_live_searches(const store::MessageFlagsChanged& changed);
    void note_expunged(const store::MessagesExpunged& expunged);
    void note_arrived(const store::MessagesAppended& arrived);
    [[nodiscard]] bool tells(imap::NotifyEvent event) const {
        return imap::has_event(told_events_, event);
    }
    bool tell_expunges(imap::ResponseWriter& out);
    std::size_t tell_vanished(imap::ResponseWriter& out);
    void tell_held_back(imap::ResponseWriter& out);
    void tell_arrivals(imap::ResponseWriter& out);
    bool tell_flags(imap::ResponseWriter& out);
    void take_recent();

    std::shared_ptr<AccountRoom> room_;
    std::shared_ptr<OpenMailbox> mailbox_;
    std::string name_;
    Access access_;
    store::Rights rights_;
    std::uint64_t access_changes_ = 0;
    std::uint64_t access_known_ = 0;
    const Features* features_;
    std::move_only_function<void()> wake_;
    Watcher watcher_;
    CommitSeq since_;                   ///< What the client was told of at first has all up to it.
    std::optional<OpenedLater> later_;  ///< What was said while there were no rows.
    bool is_settled_ = false;
    std::optional<ModSeq> arrived_from_;  ///< Lowest of arrivals, while it is not settled.
    Uid last_uid_;                        ///< Last uid the client was told of.
    std::size_t known_ = 0;               ///< Rows of the view up to it.
    std::vector<Uid> ghosts_;             ///< Rising.
    std::optional<ModSeq> ghosts_from_;   ///< Lowest mod-sequence of an expunge among the ghosts.
    bool is_lowered_ = false;             ///< HIGHESTMODSEQ was said to be below what is held back.
    imap::NumberSet saved_;
    imap::NumberSet recent_;             ///< Uids that are \Recent to this session.
    std::vector<FlagChange> changes_;    ///< Flags to tell, at most kChangesMax.
    std::optional<ModSeq> resync_from_;  ///< Too many: all rows that changed after this (T88).
    Uid resync_at_{1};
    std::size_t told_keywords_ = 0;
    /// Where it is somebody else's: of the messages that are there or were since it was selected.
    store::KeywordSet met_keywords_;
    std::uint64_t told_url_key_resets_ = 0;
    imap::NotifyEvents told_events_ = imap::kMessageEvents;
    bool tells_own_expunges_ = false;
    LiveSearches live_searches_;
};

}  // namespace godwit::serve::imap_desk

// Administrators' calls that read an account's mail out: folders, messages in pages, bodies. No
// snapshot is held between two calls. docs/decisions/0025.
#include <algorithm>
#include <set>

#include "base/limits.h"
#include "serve/admin/calls.h"
#include "store/mailbox/mailbox.h"
#include "store/store.h"
#include "wire/imap/flags.h"

namespace godwit::serve {

using store::ReadTier;

namespace {

constexpr std::size_t kPageMax = 200;
constexpr std::uint64_t kPiece = limits::stream_write_buffer_max;

void write_flags(JsonWriter& json, const store::MessageFlags& flags,
                 const store::KeywordNames& names) {
    json.key("flags").begin_array();
    for (const imap::SystemFlagName& system : imap::kSystemFlags) {
        if ((flags.system & static_cast<std::uint8_t>(system.flag)) != 0) {
            json.string(system.name);
        }
    }
    for (const auto& [number, name] : names) {
        if (flags.keywords.has(number)) {
            json.string(name);
        }
    }
    json.end_array();
}

/// A message as IMAP shows it: what was put before its body, and the body.
class MessageOutflow final : public AdminOutflow {
public:
    MessageOutflow(store::Store* store, store::MessageRecord record)
        : store_(store), record_(std::move(record)) {}

    [[nodiscard]] std::uint64_t size() const override {
        return record_.prefix.size() + record_.blob_size;
    }
    Result<std::string> next() override {
        if (!record_.prefix.empty() && !had_prefix_) {
            had_prefix_ = true;
            return record_.prefix;
        }
        if (at_ >= record_.blob_size) {
            return std::string();
        }
        const std::uint64_t wanted = std::min(kPiece, record_.blob_size - at_);
        std::string piece = TRY(store_->blobs().read(record_.blob, at_, wanted, ReadTier::Disk));
        if (piece.size() != wanted) {
            return internal_error(ErrorCode::Corrupt,
                                  "a stored body is shorter than its record says");
        }
        at_ += wanted;
        return piece;
    }
    /// Once its size was said, only the end of the connection could tell of damage.
    Result<> read_through() {
        while (!TRY(next()).empty()) {
        }
        at_ = 0;
        had_prefix_ = false;
        return {};
    }

private:
    store::Store* store_;
    store::MessageRecord record_;
    std::uint64_t at_ = 0;
    bool had_prefix_ = false;
};

Result<Uid> asked_uid(const AdminArguments& arguments, std::string_view name) {
    return Uid(
        static_cast<std::uint32_t>(TRY(arguments.count_or(name, 0, std::size_t{UINT32_MAX}))));
}

}  // namespace

Result<std::string> export_folders(const AdminHost& host, const AdminArguments& arguments) {
    const AccountId account = TRY(moved_account(host, arguments));
    const auto snapshot = host.store->snapshot();
    auto mailboxes = TRY(store::list_mailboxes(*snapshot, ReadTier::Disk, account));
    std::ranges::sort(mailboxes, {}, &store::MailboxState::name);
    const auto names = TRY(store::list_subscriptions(*snapshot, ReadTier::Disk, account));
    const std::set<std::string> subscribed(names.begin(), names.end());
    Page page(arguments);
    for (const store::MailboxState& mailbox : mailboxes) {
        if (!page.admits(mailbox.name)) {
            continue;
        }
        JsonWriter& json = page.json();
        json.begin_object().field("mailbox", mailbox.id.value()).field("name", mailbox.name);
        json.field("role", mailbox.special_use).field("messages", mailbox.messages);
        json.field("uid_validity", mailbox.uid_validity.value());
        json.field("uid_next", mailbox.uid_next.value());
        json.field("subscribed", subscribed.contains(mailbox.name));
        json.field("selectable", mailbox.is_selectable).end_object();
    }
    return page.finish();
}

Result<std::string> export_messages(const AdminHost& host, const AdminArguments& arguments) {
    const AccountId account = TRY(moved_account(host, arguments));
    const MailboxId mailbox = TRY(moved_mailbox(arguments));
    const Uid after = TRY(asked_uid(arguments, "after"));
    const auto snapshot = host.store->snapshot();
    if (after.value() == UINT32_MAX) {
        return std::string(R"({"rows":[]})");
    }
    const auto rows = TRY(store::read_rows(*snapshot, ReadTier::Disk, account, mailbox,
                                           Uid(after.value() + 1), kPageMax));
    const auto names = TRY(store::read_keywords(*snapshot, ReadTier::Disk, account));
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const store::MessageRow& row : rows) {
        json.begin_object().field("uid", row.uid.value()).field("date", row.internal_date);
        json.field("size", row.size);
        write_flags(json, row.flags, names);
        json.end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

Result<std::string> export_body(const AdminHost& host, const AdminArguments& arguments) {
    const AccountId account = TRY(moved_account(host, arguments));
    const MailboxId mailbox = TRY(moved_mailbox(arguments));
    const Uid uid = TRY(asked_uid(arguments, "uid"));
    const auto snapshot = host.store->snapshot();
    const auto row = TRY(store::read_row(*snapshot, ReadTier::Disk, account, mailbox, uid));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "there is no such message");
    }
    auto record = TRY(store::read_record(*snapshot, ReadTier::Disk, account, row->email));
    if (!record || record->is_damaged) {
        return internal_error(ErrorCode::Corrupt, "the message's record cannot be read");
    }
    auto outflow = std::make_unique<MessageOutflow>(host.store, *std::move(record));
    TRY(outflow->read_through());
    arguments.visit().outflow = std::move(outflow);
    return std::string("{}");
}

}  // namespace godwit::serve

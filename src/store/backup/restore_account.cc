#include "store/backup/restore_account.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/probe.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr ReadTier kTier = ReadTier::Disk;

/// 64 of the SHA-256's bits: two different messages of one mailbox meet with a chance of 1 in 2^64
/// by their number of pairs, and then one of them is not put back.
std::uint64_t mark_of(const BlobId& blob, std::int64_t internal_date) {
    ByteWriter out;
    out.raw(blob.bytes()).svarint(internal_date);
    const std::string digest = sha256_bytes(out.view());
    return ByteReader(digest).u64();
}

/// Errors of the store as a whole: going on would only repeat them.
bool is_hopeless(const Error& error) {
    return error.code == ErrorCode::DiskFull || error.code == ErrorCode::Closed ||
           error.code == ErrorCode::Io;
}

}  // namespace

Result<std::unique_ptr<AccountRestore>> AccountRestore::begin(Store* store, FileSystem* source,
                                                              AccountRestoreRequest request,
                                                              Commit commit) {
    BackupFolder folder = TRY(BackupFolder::open(source, request.folder));
    std::unique_ptr<AccountRestore> restore(
        new AccountRestore(store, std::move(folder), std::move(request), std::move(commit)));
    TRY(restore->open());
    return restore;
}

Result<> AccountRestore::open() {
    report_.generation = TRY(folder_.pick(request_.generation));
    manifest_ = TRY(folder_.load(report_.generation));
    const std::string path = folder_.keys_path(report_.generation);
    for (auto* reader : {&rows_, &emails_, &bodies_}) {
        reader->emplace(TRY(KeyFileReader::open(TRY(folder_.files().open(path, OpenMode::Read)),
                                                KeyFileReader::OnDamage::PassOver)));
    }
    segments_.emplace(&folder_, &manifest_);
    const mail::Address address = TRY(mail::parse_address(request_.address));
    report_.address = address.to_string();
    const auto login = TRY(rows_->get(login_row_key(mail::account_key(address))));
    if (login) {
        if (const auto id = sound("the account's name", decode_number(*login, "login"))) {
            saved_ = AccountId(static_cast<std::uint32_t>(*id));
            return {};
        }
    }
    // Where the backup's row is lost, the account has the same number in the store it was taken of.
    const FormatRow format = TRY(load_format(store_->kv())).value_or(FormatRow{});
    const bool may_be_lost = login || !rows_->damage().empty();
    const auto now = TRY(find_account(*store_->snapshot(), kTier, report_.address, ""));
    if (!may_be_lost || !now || format.store != manifest_.store) {
        return peer_error(ErrorCode::NotFound, "backup " + report_.generation +
                                                   " has no account '" + report_.address + "'" +
                                                   (may_be_lost ? ", or its row is damaged" : ""));
    }
    saved_ = now->id;
    return {};
}

Result<bool> AccountRestore::step() {
    switch (phase_) {
        case Phase::Account:
            TRY(prepare_account());
            TRY(load_boxes());
            phase_ = Phase::Mailbox;
            break;
        case Phase::Mailbox:
            if (box_ == boxes_.size()) {
                report_damage();
                phase_ = Phase::Done;
            } else {
                TRY(begin_box());
            }
            break;
        case Phase::Scan: TRY(scan_present()); break;
        case Phase::Append: TRY(append_missing()); break;
        case Phase::Done: break;
    }
    return phase_ == Phase::Done;
}

void AccountRestore::problem(std::string text) {
    ++report_.problem_count;
    if (report_.problems.size() < restore_problems_max) {
        report_.problems.push_back(std::move(text));
    }
}

template <class T>
std::optional<T> AccountRestore::sound(const std::string& name, Result<T> found) {
    if (!found) {
        problem(name + ": " + found.error().text);
        return std::nullopt;
    }
    return std::optional<T>(*std::move(found));
}

// Three readers may have met the same block.
void AccountRestore::report_damage() {
    std::map<std::uint64_t, std::string> all = rows_->damage();
    for (const auto* reader : {&emails_, &bodies_}) {
        all.insert((*reader)->damage().begin(), (*reader)->damage().end());
    }
    for (const auto& [number, text] : all) {
        problem(folder_.keys_path(report_.generation) + ": " + text);
    }
}

Result<> AccountRestore::change(const std::function<Result<Plan>(const Snapshot&)>& make_plan) {
    for (std::size_t attempt = 0;; ++attempt) {
        CommitResult done = commit_(TRY(make_plan(*store_->snapshot())));
        if (done) {
            return {};
        }
        if (done.error().error.code != ErrorCode::Stale || attempt >= limits::commit_replans_max) {
            return std::unexpected(std::move(done.error().error));
        }
    }
}

Result<> AccountRestore::prepare_account() {
    auto now = TRY(find_account(*store_->snapshot(), kTier, report_.address, ""));
    const auto row = TRY(rows_->get(account_row_key(saved_)));
    auto decoded = row ? decode_account(*row)
                       : Result<Account>(internal_error(ErrorCode::Corrupt, "it has no row"));
    const auto saved = sound("the backup's account", std::move(decoded));
    if (saved) {
        now = TRY(find_account(*store_->snapshot(), kTier, saved->name, ""));
    }
    if (!now && !saved) {
        return internal_error(ErrorCode::Corrupt,
                              "the backup's row of the account is damaged, so "
                              "that it cannot be made again: add it first");
    }
    if (!now) {
        TRY(make_account(*saved));
        now = TRY(find_account(*store_->snapshot(), kTier, saved->name, ""));
        if (!now) {
            return temporary_error(ErrorCode::Stale, "the account went away again");
        }
    }
    account_ = now->id;
    if (const auto names = TRY(rows_->get(account_prefix(Family::Keywords, saved_)))) {
        keywords_ = sound("keywords", decode_keywords(*names)).value_or(std::vector<std::string>());
    }
    return prepare_aliases(saved ? saved->name : now->name);
}

Result<> AccountRestore::make_account(const Account& saved) {
    const std::string domain = TRY(mail::parse_address(saved.name)).domain;
    const auto row = TRY(rows_->get(domain_row_key(domain)));
    if (row && !TRY(find_domain(*store_->snapshot(), kTier, domain))) {
        if (const auto made = sound("domain " + domain, decode_domain(*row))) {
            TRY(change([&](const Snapshot& snapshot) { return plan_add_domain(snapshot, *made); }));
        }
    }
    TRY(change([&](const Snapshot& snapshot) { return plan_add_account(snapshot, saved); }));
    report_.was_created = true;
    return {};
}

// Those that lead to the account and are gone. One that is there stays as it is.
Result<> AccountRestore::prepare_aliases(const std::string& account) {
    const auto rows = TRY(rows_->read_prefix(alias_rows_prefix(), SIZE_MAX));
    for (const KeyFileReader::Row& row : rows) {
        const auto decoded = sound("row " + key_text(row.key), decode_alias(row.value));
        if (!decoded || std::ranges::none_of(decoded->targets, [&](const std::string& target) {
                return equals_ignore_case(target, account);
            })) {
            continue;
        }
        const Alias& alias = *decoded;
        const auto done =
            change([&](const Snapshot& snapshot) { return plan_add_alias(snapshot, alias); });
        if (done) {
            ++report_.aliases_created;
        } else if (is_hopeless(done.error())) {
            return done;
        } else if (done.error().code != ErrorCode::AlreadyExists) {
            problem("alias " + alias.address + ": " + done.error().text);
        }
    }
    return {};
}

Result<> AccountRestore::load_boxes() {
    const auto rows = TRY(rows_->read_prefix(account_prefix(Family::Mailbox, saved_), SIZE_MAX));
    for (const KeyFileReader::Row& row : rows) {
        auto fixed = sound("row " + key_text(row.key), decode_fixed(row.value));
        if (!fixed) {
            continue;
        }
        Box box{.source = MailboxId(key_tail_u32(row.key)), .fixed = *std::move(fixed)};
        box.is_subscribed =
            TRY(rows_->get(name_key(Family::Subscription, saved_, box.fixed.name))).has_value();
        boxes_.push_back(std::move(box));
    }
    // Parents before inferiors.
    std::ranges::sort(boxes_, {}, [](const Box& box) { return box.fixed.name; });
    return {};
}

Result<> AccountRestore::begin_box() {
    const Box& box = boxes_[box_];
    present_.clear();
    scan_from_ = append_from_ = Uid(1);
    const std::string name =
        request_.to_mailbox.empty() ? box.fixed.name : request_.to_mailbox + "/" + box.fixed.name;
    if (!box.fixed.is_selectable) {
        ++box_;
        return {};
    }
    const auto target = make_box(name, box);
    if (target) {
        TRY(annotate_box(*target, box));
        target_ = *target;
        phase_ = Phase::Scan;
        return {};
    }
    if (is_hopeless(target.error())) {
        return std::unexpected(target.error());
    }
    problem("mailbox " + name + ": " + target.error().text);
    ++box_;
    return {};
}

// With every level above it that is not there.
Result<MailboxId> AccountRestore::make_box(const std::string& name, const Box& box) {
    const std::string kept = TRY(mailbox_name(name));
    for (std::size_t end = kept.find('/');; end = kept.find('/', end + 1)) {
        const std::string level = kept.substr(0, end);
        const bool is_last = end == std::string::npos;
        auto found = TRY(find_mailbox(*store_->snapshot(), kTier, account_, level));
        if (!found || (is_last && !found->is_selectable)) {
            TRY(change([&](const Snapshot&) -> Result<Plan> {
                Plan plan;
                plan.steps.emplace_back(CreateMailbox{
                    .account = account_,
                    .name = level,
                    .special_use = is_last && request_.to_mailbox.empty() ? box.fixed.special_use
                                                                          : std::string(),
                    .subscribed = is_last ? box.is_subscribed : false});
                return plan;
            }));
            ++report_.mailboxes_created;
            found = TRY(find_mailbox(*store_->snapshot(), kTier, account_, level));
        }
        if (!found) {
            return temporary_error(ErrorCode::Stale, "the mailbox went away again");
        }
        if (is_last) {
            return found->id;
        }
    }
}

// Its owner's annotations and the shared ones, where there is none of the name now.
Result<> AccountRestore::annotate_box(MailboxId target, const Box& box) {
    for (const AccountId user : {AccountId(0), saved_}) {
        const std::string prefix = annotation_key(saved_, box.source, user, {});
        SetAnnotations step{.account = account_, .mailbox = target, .user = user, .entries = {}};
        step.user = user == saved_ ? account_ : AccountId(0);
        for (const KeyFileReader::Row& row : TRY(rows_->read_prefix(prefix, annotations_max))) {
            auto value = sound("row " + key_text(row.key), decode_annotation(row.value));
            std::string name = row.key.substr(prefix.size());
            const std::string key = annotation_key(account_, target, step.user, name);
            if (value && !TRY(store_->snapshot()->get(key, kTier))) {
                step.entries.push_back({std::move(name), *std::move(value)});
            }
        }
        if (step.entries.empty()) {
            continue;
        }
        const auto done = change([&](const Snapshot&) -> Result<Plan> {
            Plan plan;
            plan.steps.emplace_back(step);
            return plan;
        });
        if (!done && is_hopeless(done.error())) {
            return std::unexpected(done.error());
        }
        if (!done) {
            problem("annotations of " + box.fixed.name + ": " + done.error().text);
        }
    }
    return {};
}

Result<> AccountRestore::scan_present() {
    const auto snapshot = store_->snapshot();
    for (std::size_t seen = 0; seen < restore_scan_max;) {
        const auto rows =
            TRY(read_rows(*snapshot, kTier, account_, target_, scan_from_, limits::scan_rows_max));
        if (rows.empty()) {
            phase_ = Phase::Append;
            return {};
        }
        for (const MessageRow& row : rows) {
            const auto value =
                TRY(snapshot->get(email_key(Family::Email, account_, row.email), kTier));
            // A damaged row is fsck's business; here the message is just not known.
            if (const auto head = value ? decode_email_head(*value) : Result<EmailHead>(); head) {
                ++present_[mark_of(head->blob, row.internal_date)];
            }
        }
        seen += rows.size();
        scan_from_ = Uid(rows.back().uid.value() + 1);
    }
    return {};
}

Result<> AccountRestore::append_missing() {
    const Box& box = boxes_[box_];
    const auto rows = TRY(rows_->read(message_key(saved_, box.source, append_from_),
                                      prefix_end(mailbox_key(Family::Message, saved_, box.source)),
                                      restore_plan_messages_max));
    std::vector<Candidate> candidates;
    for (const KeyFileReader::Row& row : rows) {
        ++report_.in_backup;
        append_from_ = Uid(key_tail_u32(row.key) + 1);
        const auto message = decode_row(Uid(key_tail_u32(row.key)), row.value);
        const auto value = message
                               ? TRY(emails_->get(email_key(Family::Email, saved_, message->email)))
                               : std::nullopt;
        auto email = value ? decode_email(*value)
                           : Result<EmailRow>(internal_error(ErrorCode::Corrupt, "no email row"));
        if (!message || !email) {
            ++report_.failed;
            problem(box.fixed.name + ", UID " + std::to_string(key_tail_u32(row.key)) + ": " +
                    (message ? email.error().text : message.error().text));
            continue;
        }
        const auto known = present_.find(mark_of(email->head.blob, message->internal_date));
        if (known != present_.end() && known->second > 0) {
            // Each message that is there stands for one of the backup's: twins come back too.
            --known->second;
            if (reads(email->head.blob)) {
                ++report_.present;
                continue;
            }
            candidates.push_back({.row = *message, .email = *std::move(email), .is_there = true});
            continue;
        }
        candidates.push_back({.row = *message, .email = *std::move(email)});
    }
    if (rows.empty()) {
        ++box_;
        phase_ = Phase::Mailbox;
        return {};
    }
    return append(std::move(candidates));
}

// A message that is there by its rows alone is not there for whoever opens it.
bool AccountRestore::reads(const BlobId& blob) const {
    return store_->blobs().read(blob, 0, UINT64_MAX, kTier).has_value();
}

Result<bool> AccountRestore::has_room(const QuotaUse& more) {
    return TRY(read_quota(*store_->snapshot(), kTier, account_)).has_room(more);
}

Result<std::optional<NewBody>> AccountRestore::read_body(const EmailRow& email) {
    const auto value = TRY(bodies_->get(blob_location_key(email.head.blob)));
    const auto location = value ? decode_blob_location(*value) : Result<BlobLocation>();
    if (!value || !location) {
        ++report_.failed;
        problem("body " + email.head.blob.to_hex() + " is not in the backup");
        return std::nullopt;
    }
    const auto writer = store_->blobs().writer();
    const auto read =
        segments_->read_body(email.head.blob, *location,
                             [&](std::string_view octets) { return writer->append(octets); });
    if (!read && read.error().code == ErrorCode::DiskFull) {
        return std::unexpected(read.error());
    }
    if (!read) {
        ++report_.failed;
        problem("body " + email.head.blob.to_hex() + ": " + read.error().text);
        return std::nullopt;
    }
    return TRY(writer->finish());
}

FlagNames AccountRestore::flag_names(const MessageFlags& flags) const {
    FlagNames names;
    names.system = flags.system;
    for (std::size_t i = 0; i < keywords_.size() && i < KeywordSet::kCapacity; ++i) {
        if (flags.keywords.has(static_cast<std::uint8_t>(i))) {
            names.keywords.push_back(keywords_[i]);
        }
    }
    return names;
}

// In plans of bounded size, in order. What the quota has no room for is counted, and the next,
// perhaps smaller one is tried.
Result<> AccountRestore::append(std::vector<Candidate> candidates) {
    Plan plan;
    std::uint64_t planned = 0;
    const auto flush = [&]() -> Result<> {
        if (plan.bodies.empty()) {
            return {};
        }
        const std::size_t count = plan.steps.size();
        // Bodies without a step are stored anew for the messages that have them (Plan::bodies).
        const std::size_t mended = plan.bodies.size() - count;
        CommitResult done = commit_(std::exchange(plan, Plan()));
        planned = 0;
        if (!done && done.error().error.code == ErrorCode::OverQuota) {
            // Other mail took the room meanwhile: a further run finds these missing.
            report_.over_quota += count;
            report_.failed += mended;
            return {};
        }
        if (!done) {
            return std::unexpected(std::move(done.error().error));
        }
        report_.restored += count;
        report_.mended += mended;
        crash_point<"restore.messages_appended">();
        return {};
    };
    for (Candidate& candidate : candidates) {
        EmailRow& email = candidate.email;
        const std::uint64_t size = email.prefix.size() + email.blob_size;
        if (!candidate.is_there &&
            !TRY(has_room({.bytes = planned + size, .messages = plan.steps.size() + 1}))) {
            ++report_.over_quota;
            report_.over_quota_bytes += size;
            continue;
        }
        if (planned + size > limits::plan_bytes_max) {
            TRY(flush());
        }
        auto body = TRY(read_body(email));
        if (!body) {
            continue;
        }
        planned += size;
        plan.bodies.push_back(*std::move(body));
        if (candidate.is_there) {
            continue;
        }
        AppendMessage step;
        step.account = account_;
        step.mailbox = target_;
        step.record = {.blob = email.head.blob,
                       .blob_size = email.blob_size,
                       .prefix = std::move(email.prefix),
                       .summary = std::move(email.summary),
                       .reference_hashes = std::move(email.head.reference_hashes),
                       .sent_at = email.sent_at};
        step.flags = flag_names(candidate.row.flags);
        step.internal_date = candidate.row.internal_date;
        step.mail = email.mail;
        step.unique_id = std::move(email.head.unique_id);
        plan.steps.emplace_back(std::move(step));
    }
    return flush();
}

}  // namespace godwit::store

// The part of fsck that looks at accounts: emails, mailboxes, messages, counters, change log,
// threads. What a deletion has not cleaned up yet (rows J) is passed over.
#include <map>
#include <set>

#include "base/bytes.h"
#include "store/directory/schema.h"
#include "store/fsck_walk.h"
#include "store/mailbox/schema.h"
#include "store/mailbox/url_keys.h"

namespace godwit::store {
namespace {

constexpr char letter(Family family) {
    return static_cast<char>(family);
}

// The account in any account's key, the number after it (mailbox, email).
AccountId account_of(std::string_view key) {
    ByteReader in(key.substr(1));
    return AccountId(in.u32());
}
std::uint32_t second_of(std::string_view key) {
    ByteReader in(key.substr(std::min<std::size_t>(key.size(), 5)));
    return in.u32();
}

/// Mailboxes and accounts that are being removed.
class Remains {
public:
    static Result<Remains> load(const FsckWalk& walk) {
        Remains remains;
        TRY(walk.each(letter(Family::Remains),
                      [&](std::string_view key, std::string_view) -> Result<> {
                          remains.rows_.emplace(account_of(key).value(), second_of(key));
                          return {};
                      }));
        return remains;
    }
    [[nodiscard]] bool has(AccountId account) const { return rows_.contains({account.value(), 0}); }
    [[nodiscard]] bool has(AccountId account, MailboxId mailbox) const {
        return has(account) || rows_.contains({account.value(), mailbox.value()});
    }

private:
    std::set<std::pair<std::uint32_t, std::uint32_t>> rows_;
};

// None where the row that lists them is damaged: every email has one at least.
Result<std::vector<EmailPlace>> places_of(const FsckWalk& walk, AccountId account, EmailId email,
                                          const EmailHead& head) {
    const auto row = TRY(walk.get(email_key(Family::Membership, account, email)));
    if (!row) {
        return std::vector<EmailPlace>{head.first};
    }
    return decode_places(*row).value_or(std::vector<EmailPlace>());
}

/// Recounts one account while the walk is in it.
struct AccountRecount {
    AccountId account;
    AccountHead head;
    std::size_t keywords = 0;
    std::map<MailboxId, MailboxCounters> mailboxes;
};

Result<AccountRecount> begin_account(const FsckWalk& walk, AccountId account) {
    AccountRecount recount;
    recount.account = account;
    if (const auto row = TRY(walk.get(account_prefix(Family::AccountHead, account)))) {
        recount.head = decode_head(*row).value_or(AccountHead{});
    }
    if (const auto row = TRY(walk.get(account_prefix(Family::Keywords, account)))) {
        if (const auto names = decode_keywords(*row)) {
            recount.keywords = names->size();
        }
    }
    return recount;
}

bool has_only_known_keywords(const KeywordSet& set, std::size_t known) {
    for (std::size_t id = known; id < KeywordSet::kCapacity; ++id) {
        if (set.has(static_cast<std::uint8_t>(id))) {
            return false;
        }
    }
    return true;
}

struct MessageCounts {
    FsckCount emails{"every message has its email, which names the place"};
    FsckCount sizes{"every message's size is that of its prefix and body"};
    FsckCount keywords{"every keyword of a message is in the dictionary"};
    FsckCount logged{"every message's last change is in the change log"};
    FsckCount mailboxes{"every message is in a mailbox that is there"};
};

Result<> check_message(const FsckWalk& walk, MessageCounts& counts, const AccountRecount& account,
                       std::string_view key, const MessageRow& row) {
    const auto text = [&] { return key_text(key); };
    const MailboxId mailbox(second_of(key));
    const auto value = TRY(walk.get(email_key(Family::Email, account.account, row.email)));
    const auto email = value ? decode_email(*value) : Result<EmailRow>();
    if (!counts.emails.expect(value && email, text)) {
        return {};
    }
    const auto places = TRY(places_of(walk, account.account, row.email, email->head));
    counts.emails.expect(std::ranges::find(places, EmailPlace{mailbox, row.uid}) != places.end(),
                         text);
    counts.sizes.expect(row.size == email->prefix.size() + email->blob_size, text);
    counts.keywords.expect(has_only_known_keywords(row.flags.keywords, account.keywords), text);
    if (row.mod_seq.value() >= account.head.oldest_log) {
        counts.logged.expect(TRY(walk.has(log_key(account.account, row.mod_seq))), text);
    }
    return {};
}

}  // namespace

Result<> fsck_emails(FsckWalk& walk) {
    const Remains remains = TRY(Remains::load(walk));
    FsckCount stored("every email's body is stored, with its size");
    FsckCount linked("every email has a link to its body");
    FsckCount placed("every email is in the mailboxes it names");
    FsckCount threaded("every email is found by its references and in its thread");
    FsckCount named("every unique id of POP3 is one email's");
    FsckCount numbers("every email's number is below the next");
    TRY(walk.each(
        letter(Family::Email), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto text = [&] { return key_text(key); };
            const AccountId account = account_of(key);
            const EmailId email(second_of(key));
            const auto row = decode_email(value);
            if (!stored.expect(row.has_value(), text) || remains.has(account)) {
                return {};
            }
            const auto body = TRY(walk.get(blob_location_key(row->head.blob)));
            const auto location = body ? decode_blob_location(*body) : Result<BlobLocation>();
            stored.expect(body && location && location->size == row->blob_size, text);
            linked.expect(TRY(walk.has(link_key(row->head.blob, account, email))), text);
            const auto places = TRY(places_of(walk, account, email, row->head));
            placed.expect(!places.empty(), text);
            for (const EmailPlace& place : places) {
                const auto message = TRY(walk.get(message_key(account, place.mailbox, place.uid)));
                const auto decoded =
                    message ? decode_row(place.uid, *message) : Result<MessageRow>();
                placed.expect(message && decoded && decoded->email == email, text);
            }
            if (!row->head.unique_id.empty()) {
                const auto said =
                    TRY(walk.get(name_key(Family::UniqueId, account, row->head.unique_id)));
                const auto number =
                    said ? decode_number(*said, "unique id") : Result<std::uint64_t>();
                named.expect(said && number && *number == email.value(), text);
            }
            for (const std::uint64_t hash : row->head.reference_hashes) {
                threaded.expect(TRY(walk.has(thread_reference_key(account, hash))), text);
            }
            threaded.expect(row->head.thread.value() == email.value() ||
                                TRY(walk.has(thread_member_key(account, row->head.thread, email))),
                            text);
            const auto head = TRY(walk.get(account_prefix(Family::AccountHead, account)));
            const auto decoded_head = head ? decode_head(*head) : Result<AccountHead>();
            numbers.expect(head && decoded_head && email.value() < decoded_head->next_email, text);
            return {};
        }));
    TRY(walk.each(letter(Family::UniqueId),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      const AccountId account = account_of(key);
                      if (remains.has(account)) {
                          return {};
                      }
                      const auto number = decode_number(value, "unique id");
                      const EmailId email(static_cast<std::uint32_t>(number.value_or(0)));
                      const auto row = TRY(walk.get(email_key(Family::Email, account, email)));
                      const auto head = row ? decode_email_head(*row) : Result<EmailHead>();
                      named.expect(row && head && head->unique_id == key.substr(5),
                                   [&] { return key_text(key); });
                      return {};
                  }));
    FsckCount members("every member of a thread is an email of it");
    TRY(walk.each(
        letter(Family::ThreadMember), [&](std::string_view key, std::string_view) -> Result<> {
            if (remains.has(account_of(key))) {
                return {};
            }
            const auto row = TRY(
                walk.get(email_key(Family::Email, account_of(key), EmailId(key_tail_u32(key)))));
            const auto head = row ? decode_email_head(*row) : Result<EmailHead>();
            members.expect(row && head && head->thread.value() == second_of(key),
                           [&] { return key_text(key); });
            return {};
        }));
    walk.add(std::move(stored));
    walk.add(std::move(linked));
    walk.add(std::move(placed));
    walk.add(std::move(threaded));
    walk.add(std::move(numbers));
    walk.add(std::move(named));
    walk.add(std::move(members));
    return {};
}

namespace {

// Rows N against a recount, row A against their sum.
struct CounterCounts {
    FsckCount counters{"every mailbox's counters equal a recount"};
    FsckCount uids{"every uid is below its mailbox's next"};
    FsckCount sequences{"no mod-sequence is above its mailbox's and its account's highest"};
    FsckCount totals{"every account's totals equal the sum of its mailboxes"};
    FsckCount names{"every mailbox has its name and every name its mailbox"};
    FsckCount annotations{"every annotation can be read and its mailbox is there"};
    FsckCount url_keys{"every key of URLs can be read and its mailbox is there"};
    FsckCount heads{"every account has its head, and every mailbox its counters"};
};

std::string difference(const MailboxCounters& row, const MailboxCounters& actual) {
    std::string text;
    const auto compare = [&](const char* what, std::uint64_t said, std::uint64_t counted) {
        if (said != counted) {
            text += std::string(", ") + what + " " + std::to_string(said) + " of " +
                    std::to_string(counted);
        }
    };
    compare("messages", row.messages, actual.messages);
    compare("unseen", row.unseen, actual.unseen);
    compare("deleted", row.deleted, actual.deleted);
    compare("octets", row.bytes, actual.bytes);
    return text;
}

Result<> check_account(const FsckWalk& walk, CounterCounts& counts, const Remains& remains,
                       const AccountRecount& recount) {
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
    TRY(walk.each(account_prefix(Family::Counters, recount.account),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      const auto text = [&] { return key_text(key); };
                      const auto row = decode_counters(value);
                      const MailboxId mailbox(second_of(key));
                      if (remains.has(recount.account, mailbox) ||
                          !counts.counters.expect(row.has_value(), text)) {
                          return {};
                      }
                      const auto found = recount.mailboxes.find(mailbox);
                      const MailboxCounters actual =
                          found == recount.mailboxes.end() ? MailboxCounters{} : found->second;
                      counts.counters.expect(
                          row->messages == actual.messages && row->unseen == actual.unseen &&
                              row->deleted == actual.deleted && row->bytes == actual.bytes,
                          [&] { return key_text(key) + difference(*row, actual); });
                      counts.uids.expect(actual.uid_next <= row->uid_next, text);
                      counts.sequences.expect(
                          actual.highest_mod_seq <= row->highest_mod_seq &&
                              row->highest_mod_seq.value() <= recount.head.mod_seq,
                          text);
                      bytes += row->bytes;
                      messages += row->messages;
                      return {};
                  }));
    if (!remains.has(recount.account)) {
        counts.totals.expect(
            bytes == recount.head.bytes_used && messages == recount.head.messages_used,
            [&] { return "account " + std::to_string(recount.account.value()); });
    }
    TRY(walk.each(account_prefix(Family::ChangeLog, recount.account),
                  [&](std::string_view key, std::string_view) -> Result<> {
                      counts.sequences.expect(key_tail_u64(key) <= recount.head.mod_seq,
                                              [&] { return key_text(key); });
                      return {};
                  }));
    return {};
}

Result<> check_names(const FsckWalk& walk, CounterCounts& counts, const Remains& remains) {
    TRY(walk.each(
        letter(Family::Mailbox), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto fixed = decode_fixed(value);
            const AccountId account = account_of(key);
            counts.heads.expect(
                remains.has(account) || TRY(walk.has(mailbox_key(Family::Counters, account,
                                                                 MailboxId(second_of(key))))),
                [&] { return key_text(key); });
            const auto row =
                fixed ? TRY(walk.get(name_key(Family::MailboxName, account_of(key), fixed->name)))
                      : std::nullopt;
            const auto number = row ? decode_number(*row, "mailbox name") : Result<std::uint64_t>();
            counts.names.expect(remains.has(account_of(key)) ||
                                    (fixed && row && number && *number == second_of(key)),
                                [&] { return key_text(key); });
            return {};
        }));
    return walk.each(
        letter(Family::MailboxName), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto number = decode_number(value, "mailbox name");
            const auto row =
                number ? TRY(walk.get(mailbox_key(Family::Mailbox, account_of(key),
                                                  MailboxId(static_cast<std::uint32_t>(*number)))))
                       : std::nullopt;
            const auto fixed = row ? decode_fixed(*row) : Result<MailboxFixed>();
            counts.names.expect(
                remains.has(account_of(key)) || (row && fixed && fixed->name == key.substr(5)),
                [&] { return key_text(key); });
            return {};
        });
}

Result<> check_annotations(FsckWalk& walk, CounterCounts& counts, const Remains& remains) {
    return walk.each(
        letter(Family::Annotation), [&](std::string_view key, std::string_view value) -> Result<> {
            const AccountId account = account_of(key);
            const MailboxId mailbox(second_of(key));
            const bool has_mailbox = mailbox == MailboxId(0) ||
                                     TRY(walk.has(mailbox_key(Family::Mailbox, account, mailbox)));
            counts.annotations.expect(
                remains.has(account) || (has_mailbox && decode_annotation(value)),
                [&] { return key_text(key); });
            return {};
        });
}

Result<> check_url_keys(FsckWalk& walk, CounterCounts& counts, const Remains& remains) {
    return walk.each(
        letter(Family::UrlKey), [&](std::string_view key, std::string_view value) -> Result<> {
            const AccountId account = account_of(key);
            const MailboxId mailbox(second_of(key));
            const bool has_mailbox = TRY(walk.has(mailbox_key(Family::Mailbox, account, mailbox)));
            counts.url_keys.expect(remains.has(account) || (has_mailbox && decode_url_key(value)),
                                   [&] { return key_text(key); });
            return {};
        });
}

void count_message(AccountRecount& recount, MailboxId mailbox, const MessageRow& row) {
    MailboxCounters& counters = recount.mailboxes[mailbox];
    ++counters.messages;
    counters.unseen += row.flags.has(SystemFlag::Seen) ? 0 : 1;
    counters.deleted += row.flags.has(SystemFlag::Deleted) ? 1 : 0;
    counters.bytes += row.size;
    counters.uid_next = Uid(std::max(counters.uid_next.value(), row.uid.value() + 1));
    counters.highest_mod_seq = std::max(counters.highest_mod_seq, row.mod_seq);
}

}  // namespace

Result<> fsck_mailboxes(FsckWalk& walk) {
    const Remains remains = TRY(Remains::load(walk));
    MessageCounts messages;
    CounterCounts counters;
    std::set<AccountId> accounts;
    TRY(walk.each(letter(Family::AccountHead),
                  [&](std::string_view key, std::string_view) -> Result<> {
                      accounts.insert(account_of(key));
                      return {};
                  }));
    TRY(walk.each(account_rows_prefix(), [&](std::string_view key, std::string_view) -> Result<> {
        const AccountId account(key_tail_u32(key));
        counters.heads.expect(accounts.contains(account), [&] { return key_text(key); });
        accounts.insert(account);
        return {};
    }));
    for (const AccountId account : accounts) {
        AccountRecount recount = TRY(begin_account(walk, account));
        TRY(walk.each(account_prefix(Family::Message, account),
                      [&](std::string_view key, std::string_view value) -> Result<> {
                          const MailboxId mailbox(second_of(key));
                          const auto row = decode_row(Uid(key_tail_u32(key)), value);
                          if (!messages.emails.expect(row.has_value(),
                                                      [&] { return key_text(key); }) ||
                              remains.has(account, mailbox)) {
                              return {};
                          }
                          messages.mailboxes.expect(
                              TRY(walk.has(mailbox_key(Family::Counters, account, mailbox))),
                              [&] { return key_text(key); });
                          count_message(recount, mailbox, *row);
                          return check_message(walk, messages, recount, key, *row);
                      }));
        TRY(check_account(walk, counters, remains, recount));
    }
    TRY(check_names(walk, counters, remains));
    TRY(check_annotations(walk, counters, remains));
    TRY(check_url_keys(walk, counters, remains));
    for (FsckCount* count : {&messages.emails, &messages.sizes, &messages.keywords,
                             &messages.logged, &messages.mailboxes, &counters.counters,
                             &counters.uids, &counters.sequences, &counters.totals, &counters.names,
                             &counters.annotations, &counters.url_keys, &counters.heads}) {
        walk.add(std::move(*count));
    }
    return {};
}

}  // namespace godwit::store

#include "store/mailbox/trails.h"

#include "base/ascii.h"
#include "base/json.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {

std::string family_prefix() {
    return std::string(1, static_cast<char>(Family::Trace));
}

MailId mail_of(std::string_view key) {
    return MailId(key_tail_u64(key.substr(0, 1 + sizeof(std::uint64_t))));
}

}  // namespace

TrailPattern::TrailPattern(std::string_view what) {
    if (what.empty()) {
        return;
    }
    std::string inside = to_lower(what);
    if (inside.starts_with('<') && inside.ends_with('>')) {
        inside = inside.substr(1, inside.size() - 2);
    }
    // As it stands in JSON, from its quote to its quote.
    append_json_string(address_, inside);
    message_id_ = "<" + address_.substr(1, address_.size() - 2) + ">";
    if (inside.starts_with('@')) {
        address_.erase(0, 1);
    }
}

bool TrailPattern::matches(std::string_view detail) const {
    if (address_.empty()) {
        return true;
    }
    const std::string lower = to_lower(detail);
    return lower.find(address_) != std::string::npos ||
           lower.find(message_id_) != std::string::npos;
}

Result<TrailPage> find_trails(const Snapshot& snapshot, ReadTier tier, MailId after,
                              const TrailPattern& pattern, std::size_t rows_max,
                              std::size_t count) {
    const std::string upper = prefix_end(family_prefix());
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    TrailPage page{.found = {}, .last = after};
    std::size_t rows = 0;
    cursor->seek(prefix_end(trace_prefix(after)));
    for (; cursor->is_valid(); cursor->next()) {
        const MailId mail = mail_of(cursor->key());
        if (mail != page.last) {
            if (rows >= rows_max || page.found.size() >= count) {
                break;
            }
            page.last = mail;
        }
        ++rows;
        if (!page.found.empty() && page.found.back() == mail) {
            continue;
        }
        const auto event = TRY(if_sound(cursor->key(), decode_trace(mail, cursor->value())));
        if (event && pattern.matches(event->detail)) {
            page.found.push_back(mail);
        }
    }
    TRY(cursor->status());
    page.is_last = !cursor->is_valid();
    return page;
}

Result<MailId> trail_before(const Snapshot& snapshot, ReadTier tier, WallTime at) {
    const std::string upper = prefix_end(family_prefix());
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    // Everything up to `before` is older; what is behind `beyond` is not.
    std::uint64_t before = 0;
    std::uint64_t beyond = TRY(last_trail(snapshot, tier)).value();
    while (before < beyond) {
        const std::uint64_t middle = before + (beyond - before) / 2;
        cursor->seek(prefix_end(trace_prefix(MailId(middle))));
        TRY(cursor->status());
        if (!cursor->is_valid()) {
            beyond = middle;
            continue;
        }
        const MailId mail = mail_of(cursor->key());
        const auto event = TRY(if_sound(cursor->key(), decode_trace(mail, cursor->value())));
        if (event && event->at >= at) {
            beyond = middle;
        } else {
            before = std::max(middle + 1, mail.value());
        }
    }
    return MailId(std::min(before, beyond));
}

Result<MailId> last_trail(const Snapshot& snapshot, ReadTier tier) {
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier);
    cursor->seek_back(prefix_end(family_prefix()));
    TRY(cursor->status());
    if (!cursor->is_valid() || !cursor->key().starts_with(family_prefix())) {
        return MailId(0);
    }
    return mail_of(cursor->key());
}

}  // namespace godwit::store

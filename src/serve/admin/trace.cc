// Administrators' search for messages by what was noted of them.
#include <utility>

#include "base/limits.h"
#include "serve/admin/calls.h"
#include "store/mailbox/trails.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

/// Events looked at in one call: about a twentieth of a second.
constexpr std::size_t kTrailRowsMax = 20'000;
constexpr std::size_t kSinceMax = std::size_t{10} * 366 * 86400;

}  // namespace

Result<std::string> find_traces(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    const std::string start = arguments.text_or("after", "");
    MailId after = start.empty() ? MailId{} : TRY(parse_mail_id(start));
    if (start.empty() && arguments.has("since")) {
        const std::chrono::seconds since(TRY(arguments.count_or("since", 1, kSinceMax)));
        after =
            TRY(store::trail_before(*snapshot, store::ReadTier::Disk, host.clock->wall() - since));
    }
    if (arguments.flag("from_now")) {
        after = TRY(store::last_trail(*snapshot, store::ReadTier::Disk));
    }
    const std::size_t limit =
        TRY(arguments.count_or("limit", limits::admin_page_rows_max, limits::admin_page_rows_max));
    const store::TrailPattern pattern(arguments.text_or("what", ""));
    const store::TrailPage page = TRY(
        store::find_trails(*snapshot, store::ReadTier::Disk, after, pattern, kTrailRowsMax, limit));
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const MailId mail : page.found) {
        json.string(to_string(mail));
    }
    json.end_array().field("last", to_string(page.last));
    if (!page.is_last) {
        json.field("next", to_string(page.last));
    }
    json.end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve

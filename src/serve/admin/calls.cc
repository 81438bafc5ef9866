// What the administrators' calls share: plans with another try, pages, times.
#include "serve/admin/calls.h"

#include <cstdio>

#include "base/limits.h"
#include "base/probe.h"
#include "mail/text/date.h"
#include "store/store.h"

namespace godwit::serve {

Result<> change_store(const AdminHost& host,
                      const std::function<Result<store::Plan>(const store::Snapshot&)>& make_plan) {
    for (std::size_t attempt = 0;; ++attempt) {
        store::Plan plan = TRY(make_plan(*host.store->snapshot()));
        if (plan.steps.empty()) {
            return {};
        }
        crash_point<"admin.change_planned">();
        store::CommitResult done = host.commit(std::move(plan));
        if (done) {
            crash_point<"admin.change_committed">();
            return {};
        }
        if (done.error().error.code != ErrorCode::Stale || attempt >= limits::commit_replans_max) {
            return std::unexpected(std::move(done.error().error));
        }
    }
}

std::string show_time(std::int64_t unix_seconds) {
    const mail::CivilTime civil = mail::to_civil(unix_seconds);
    char text[64];
    const int size = std::snprintf(text, sizeof text, "%04lld-%02u-%02uT%02u:%02u:%02uZ",
                                   static_cast<long long>(civil.year), civil.month, civil.day,
                                   civil.hour, civil.minute, civil.second);
    return {text, static_cast<std::size_t>(size)};
}

std::string show_time(WallTime time) {
    return show_time(unix_seconds(time));
}

std::string one_field(std::string_view name, std::string_view value) {
    JsonWriter json;
    json.begin_object().field(name, value).end_object();
    return std::move(json).take();
}

Page::Page(const AdminArguments& arguments) : after_(arguments.text_or("after", "")) {
    json_.begin_object().key("rows").begin_array();
}

bool Page::admits(std::string_view key) {
    if (key <= after_ || is_full_) {
        return false;
    }
    if (count_ == limits::admin_page_rows_max) {
        is_full_ = true;
        return false;
    }
    ++count_;
    last_ = std::string(key);
    return true;
}

std::string Page::finish() {
    json_.end_array();
    if (is_full_) {
        json_.field("next", last_);
    }
    json_.end_object();
    return std::move(json_).take();
}

}  // namespace godwit::serve

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

Result<WallTime> parse_time(std::string_view text) {
    const auto wrong = [text] {
        return peer_error(ErrorCode::Invalid, "expected a time like 2026-01-31T10:00:00Z, found '" +
                                                  std::string(text.substr(0, 40)) + "'");
    };
    // "#" is a digit.
    constexpr std::string_view kShape = "####-##-##T##:##:##Z";
    std::string whole(text);
    if (whole.size() == kShape.size() - 3 && whole.ends_with('Z')) {
        whole.insert(whole.size() - 1, ":00");
    }
    if (whole.size() != kShape.size()) {
        return wrong();
    }
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        if (kShape[i] == '#' ? !is_digit(whole[i]) : whole[i] != kShape[i]) {
            return wrong();
        }
    }
    const auto number = [&whole](std::size_t at, std::size_t size) {
        return parse_u32(std::string_view(whole).substr(at, size)).value_or(0);
    };
    mail::CivilTime civil;
    civil.year = number(0, 4);
    civil.month = number(5, 2);
    civil.day = number(8, 2);
    civil.hour = number(11, 2);
    civil.minute = number(14, 2);
    civil.second = number(17, 2);
    if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > mail::days_in_month(civil.year, civil.month) || civil.hour > 23 ||
        civil.minute > 59 || civil.second > 59) {
        return wrong();
    }
    return from_unix_seconds(mail::from_civil(civil));
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

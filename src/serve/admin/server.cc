// Administrators' calls on the server as a whole, and on one message's life.
#include "base/metrics.h"
#include "serve/admin/calls.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"
#include "store/scrub.h"
#include "store/store.h"

namespace godwit::serve {

using store::ReadTier;

Result<std::string> show_message(const AdminHost& host, const AdminArguments& arguments) {
    const MailId mail = TRY(parse_mail_id(TRY(arguments.text("id"))));
    const auto snapshot = host.store->snapshot();
    const auto events = TRY(store::read_trace(*snapshot, ReadTier::Disk, mail));
    const auto queued = TRY(store::read_queue_message(*snapshot, ReadTier::Disk, mail));
    if (events.empty() && !queued) {
        return peer_error(ErrorCode::NotFound,
                          "nothing is known of message " + godwit::to_string(mail));
    }
    JsonWriter json;
    json.begin_object().field("id", godwit::to_string(mail)).field("in_queue", queued.has_value());
    json.key("events").begin_array();
    for (const store::TraceEvent& event : events) {
        json.begin_object().field("at", show_time(event.at)).field("kind", event.kind);
        // Trace details are JSON that we wrote; one that does not read is shown as text.
        json.key("detail");
        parse_json(event.detail) ? json.raw(event.detail) : json.string(event.detail);
        json.end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

Result<std::string> show_status(const AdminHost& host, const AdminArguments&) {
    const auto snapshot = host.store->snapshot();
    const CommitSeq seq = TRY(store::read_commit_seq(*snapshot, ReadTier::Disk));
    const std::uint64_t queued = TRY(store::read_queue_count(*snapshot, ReadTier::Disk));
    JsonWriter json;
    json.begin_object().field("running", static_cast<bool>(host.describe_server));
    json.field("engine", host.store->kv().engine());
    json.field("store_bytes", host.store->kv().approximate_size());
    const store::Durability& durability = host.store->durability();
    json.field("durability", to_string(durability.level));
    json.field("file_system", durability.file_system);
    if (!durability.remark.empty()) {
        json.field("durability_remark", durability.remark);
    }
    json.field("queued", queued);
    json.field("commits", seq.value())
        .field("takes_mail", host.store->is_sound() && host.store->has_room_for_mail());
    if (const auto fault = host.store->fault(); fault) {
        json.field("fault", fault->text);
    }
    const auto scrub = TRY(store::read_scrub_state(*snapshot, ReadTier::Disk));
    const auto damaged = TRY(store::read_damaged(*snapshot, ReadTier::Disk));
    const bool has_passed = scrub.last_end != WallTime{};
    json.field("scrubbed", (has_passed ? "last full pass " + show_time(scrub.last_end) + ", " +
                                             std::to_string(scrub.last_bodies) + " bodies, " +
                                             std::to_string(scrub.last_damaged) + " damaged"
                                       : "no full pass yet") +
                               (scrub.is_under_way ? "; a pass is under way" : ""));
    json.field("damaged", std::uint64_t{damaged.size()});
    if (host.describe_server) {
        host.describe_server(json);
        json.key("metrics").begin_object();
        for (const MetricRow& row : metric_rows()) {
            json.field(row.name, row.metric == Metric::QueueMessages
                                     ? static_cast<std::int64_t>(queued)
                                     : metric_value(row.metric));
        }
        json.end_object();
    }
    json.end_object();
    return std::move(json).take();
}

Result<std::string> reload_server(const AdminHost& host, const AdminArguments&) {
    if (!host.reload) {
        return temporary_error(ErrorCode::Closed, "no server runs");
    }
    return host.reload();
}

}  // namespace godwit::serve

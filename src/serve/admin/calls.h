// The functions behind the rows of the table in api.cc, and what they share.
#pragma once

#include "serve/admin/api.h"

namespace godwit::serve {

// accounts.cc
Result<std::string> add_account(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> change_account(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> list_accounts(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> remove_account(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> change_password(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> add_app_password(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> list_app_passwords(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> remove_app_password(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> forward_account(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> allow_sender(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> deny_sender(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> rotate_address_keys(const AdminHost& host, const AdminArguments& arguments);

// domains.cc
Result<std::string> add_domain(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> change_domain(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> list_domains(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> remove_domain(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> add_alias(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> change_alias(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> list_aliases(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> remove_alias(const AdminHost& host, const AdminArguments& arguments);

// queue_view.cc
Result<std::string> list_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> show_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> explain_queued(const AdminHost& host, const AdminArguments& arguments);

// queue.cc
Result<std::string> retry_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> hold_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> release_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> delete_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> expire_queued(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> reroute_queued(const AdminHost& host, const AdminArguments& arguments);

// suspensions.cc
Result<std::string> suspend_queue(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> resume_queue(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> list_suspensions(const AdminHost& host, const AdminArguments& arguments);

// queue_summary.cc
Result<std::string> summarize_queue(const AdminHost& host, const AdminArguments& arguments);

// sites.cc
Result<std::string> list_sites(const AdminHost& host, const AdminArguments& arguments);

// test_route.cc
Result<std::string> test_route(const AdminHost& host, const AdminArguments& arguments);

// tls_reports.cc
Result<std::string> list_tls_reports(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> show_tls_report(const AdminHost& host, const AdminArguments& arguments);

// trace.cc
Result<std::string> find_traces(const AdminHost& host, const AdminArguments& arguments);

// acl.cc
Result<std::string> list_acl(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> set_acl(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> remove_acl(const AdminHost& host, const AdminArguments& arguments);
// indexes.cc
Result<std::string> list_indexes(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> make_indexes_anew(const AdminHost& host, const AdminArguments& arguments);

// server.cc
Result<std::string> show_message(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> show_status(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> reload_server(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> check_store(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> request_scrub(const AdminHost& host, const AdminArguments& arguments);

// import.cc
Result<std::string> import_folder(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> import_numbers(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> import_known(const AdminHost& host, const AdminArguments& arguments);
// import_messages.cc
Result<std::string> import_messages(const AdminHost& host, const AdminArguments& arguments);

// export.cc
Result<std::string> export_folders(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> export_messages(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> export_body(const AdminHost& host, const AdminArguments& arguments);

/// What the calls that move mail work on: "account", and of it the mailbox that "mailbox" numbers.
Result<AccountId> moved_account(const AdminHost& host, const AdminArguments& arguments);
Result<MailboxId> moved_mailbox(const AdminArguments& arguments);

// backup.cc
Result<std::string> begin_backup(const AdminHost& host, const AdminArguments& arguments);
Result<std::string> begin_restore(const AdminHost& host, const AdminArguments& arguments);
/// The next step of what begin_... began.
Result<std::string> continue_work(const AdminHost& host, const AdminArguments& arguments);

/// Makes a plan on a fresh snapshot and commits it; again when a rival was faster (Stale), at most
/// limits::commit_replans_max times.
Result<> change_store(const AdminHost& host,
                      const std::function<Result<store::Plan>(const store::Snapshot&)>& make_plan);

/// "2026-01-31T10:00:00Z".
std::string show_time(WallTime time);
std::string show_time(std::int64_t unix_seconds);
/// The same read back; seconds may be left out. Peer error for anything else.
Result<WallTime> parse_time(std::string_view text);

/// {"name":"value"}: the answer of a call that changed one thing.
std::string one_field(std::string_view name, std::string_view value);

/// Adds rows in order of their keys to a page of {"rows":[...],"next":...}.
class Page {
public:
    /// Takes "after" and "limit" from the arguments.
    explicit Page(const AdminArguments& arguments);
    /// True when a row with this key belongs on the page; write it to json() then. Keys rise.
    bool admits(std::string_view key);
    /// No row further on will be admitted.
    [[nodiscard]] bool is_full() const { return is_full_; }
    [[nodiscard]] const std::string& after() const { return after_; }
    JsonWriter& json() { return json_; }
    std::string finish();

private:
    std::string after_;
    std::string last_;
    std::size_t count_ = 0;
    bool is_full_ = false;
    JsonWriter json_;
};

}  // namespace godwit::serve

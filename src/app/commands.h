// The functions behind the rows of the command table (commands.cc).
#pragma once

#include <string>
#include <vector>

#include "app/cli.h"

namespace godwit::app {

// commands_config.cc
int run_config_check(const Invocation& call);
int run_config_effective(const Invocation& call);
int run_config_sample(const Invocation& call);
int run_config_reference(const Invocation& call);
int run_version(const Invocation& call);

// commands_server.cc
int run_serve(const Invocation& call);
int run_dev(const Invocation& call);
int run_init(const Invocation& call);
int run_init_store(const Invocation& call);

// send.cc
int run_send(const Invocation& call);

// sendmail.cc
/// As the program `sendmail` or `mailq`: options of sendmail(8). `name` is what it was called by.
int run_sendmail(const std::string& name, const std::vector<std::string>& words,
                 const Console& console);

// commands_admin.cc
int run_admin_change(const Invocation& call);
int run_admin_view(const Invocation& call);
int run_trace(const Invocation& call);
int run_queue_why(const Invocation& call);
int run_queue_summary(const Invocation& call);
int run_site_list(const Invocation& call);
int run_site_show(const Invocation& call);
int run_test_route(const Invocation& call);
int run_fsck(const Invocation& call);

// commands_backup.cc
int run_backup(const Invocation& call);
int run_backup_verify(const Invocation& call);
int run_backup_list(const Invocation& call);
int run_restore(const Invocation& call);

// import_*.cc
int run_import_maildir(const Invocation& call);
int run_import_imap(const Invocation& call);
int run_import_mbox(const Invocation& call);

// export_*.cc
int run_export_maildir(const Invocation& call);
int run_export_mbox(const Invocation& call);

// fsck_repair.cc
/// `godwit fsck --repair`: works on the folder itself; no server may run.
int run_repair(const Invocation& call);

}  // namespace godwit::app

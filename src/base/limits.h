// Every bound an outsider can run into, with its reason. Shown by `godwit config effective`.
// A bound that the administrator may change has its default here and its key in app/config.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace godwit::limits {

using std::chrono::minutes;
using std::chrono::seconds;

// SMTP. RFC 5321 4.5.3.1 sets minimums; these are what we take.
inline constexpr std::size_t smtp_command_line_size_max =
    4096;  // ORCPT, ENVID and SMTPUTF8 grow MAIL and RCPT past 512
inline constexpr std::size_t smtp_auth_line_size_max = 12288;  // RFC 4954 section 4
inline constexpr std::size_t smtp_reply_line_size_max = 4096;  // replies of peers, B3
inline constexpr std::size_t smtp_reply_lines_max = 100;       // B3
inline constexpr std::size_t smtp_reply_size_max = 32 * 1024;  // B3
inline constexpr std::size_t smtp_recipients_max = 100;  // RFC 5321 4.5.3.1.8, unauthenticated
inline constexpr std::size_t smtp_recipients_authenticated_max = 1000;
inline constexpr std::size_t smtp_errors_max = 10;            // then 421
inline constexpr std::size_t smtp_junk_commands_max = 50;     // NOOP, RSET, HELP, VRFY without mail
inline constexpr std::size_t smtp_auth_failures_max = 3;      // per connection, K2
inline constexpr std::size_t smtp_bdat_chunks_max = 10000;    // T8
inline constexpr std::size_t smtp_received_headers_max = 50;  // G1
inline constexpr std::size_t smtp_transactions_max = 10000;   // per connection
inline constexpr std::size_t smtp_discard_size_max =
    64 * 1024 * 1024;  // refused content read and dropped per connection, T7
inline constexpr std::size_t smtp_hello_name_size_max =
    512;  // longer than any domain or literal; junk is kept for logs, C17
inline constexpr std::size_t smtp_path_parameters_max = 16;  // on one MAIL or RCPT
inline constexpr std::size_t smtp_envid_size_max = 100;      // RFC 3461 4.4
inline constexpr std::size_t smtp_orcpt_size_max = 500;      // RFC 3461 4.2
inline constexpr std::size_t smtp_client_group_max =
    50;  // commands in flight: about 4 KiB, RFC 2920 3.1, E14
inline constexpr std::size_t smtp_peer_mechanisms_max = 32;  // AUTH words kept of a peer's EHLO
inline constexpr std::size_t sasl_name_size_max = 1024;      // RFC 4616 2: at least 255
inline constexpr std::uint32_t scram_iterations_min = 4096;  // RFC 7677 3
inline constexpr std::uint32_t scram_iterations_max =
    1'000'000;  // about 250 ms of our client for a peer's whim
inline constexpr std::uint32_t scram_iterations_default =
    10'000;  // for new passwords; RFC 7677 4 weighs it
inline constexpr std::size_t message_size_max =
    50 * 1024 * 1024;                                // SIZE; config: limits.message_size
inline constexpr std::size_t domain_size_max = 255;  // RFC 5321 4.5.3.1.2
inline constexpr std::size_t local_part_size_max =
    255;  // RFC 5321 4.5.3.1.1 asks for 64; VERP and SRS senders pass it
inline constexpr std::size_t address_size_max =
    2 * 255 + 3 + 255;  // local part fully quoted, @, domain; RFC 5321 4.5.3.1.3 asks for 256

// Timeouts of our servers. RFC 5321 4.5.3.2.7: at least 5 minutes.
inline constexpr seconds smtp_command_timeout = minutes(5);
inline constexpr seconds smtp_data_timeout = minutes(5);
inline constexpr seconds tls_handshake_timeout = seconds(10);
inline constexpr seconds imap_preauth_timeout = minutes(3);
inline constexpr seconds imap_idle_timeout = minutes(31);  // RFC 3501 5.4: at least 30
inline constexpr seconds pop3_idle_timeout = minutes(10);  // RFC 1939 3
// Timeouts of our client. RFC 5321 4.5.3.2.
inline constexpr seconds smtp_client_connect_timeout = seconds(30);
inline constexpr seconds smtp_client_greeting_timeout = minutes(5);
inline constexpr seconds smtp_client_command_timeout = minutes(5);
inline constexpr seconds smtp_client_data_init_timeout = minutes(2);
inline constexpr seconds smtp_client_data_block_timeout = minutes(3);
inline constexpr seconds smtp_client_data_done_timeout = minutes(10);
inline constexpr seconds smtp_client_quit_timeout = seconds(5);

// Messages.
inline constexpr std::size_t header_block_size_max =
    1024 * 1024;  // T64; past it, kept raw, no longer indexed
inline constexpr std::size_t header_field_size_max = 256 * 1024;
inline constexpr std::size_t header_fields_max = 1000;
inline constexpr std::size_t header_addresses_max = 2000;  // per field
inline constexpr std::size_t mime_depth_max = 50;          // T63
inline constexpr std::size_t mime_parts_max = 1000;
inline constexpr std::size_t mime_boundary_size_max = 2048;  // kept; RFC 2046 5.1.1 says 70
inline constexpr std::size_t mime_parameters_max = 128;      // T65
inline constexpr std::size_t mime_continuations_max = 32;    // RFC 2231
inline constexpr std::size_t mime_parameter_size_max = 8192;
inline constexpr std::size_t comment_depth_max = 32;  // T66
inline constexpr std::size_t references_max = 100;    // T69
inline constexpr std::size_t preview_size_max = 256;  // RFC 8970: at most 256 characters
inline constexpr std::size_t preview_source_size_max =
    16 * 1024;  // raw octets of text looked at for it
inline constexpr std::size_t mime_part_header_size_max =
    64 * 1024;  // header of a part inside; past it, not indexed
inline constexpr std::size_t mime_field_size_max = 4096;  // one kept Content-* value of a part
inline constexpr std::size_t mime_envelopes_size_max =
    256 * 1024;  // all envelopes of messages inside, one message
inline constexpr std::size_t mime_structure_size_max =
    1024 * 1024;  // all kept values of the part tree
inline constexpr std::size_t summary_headers_size_max =
    128 * 1024;  // hot headers kept; past it, read the message
inline constexpr std::size_t mime_languages_max = 16;  // Content-Language tags kept of a part

// IMAP.
inline constexpr std::size_t imap_line_size_max = 64 * 1024;         // Q43
inline constexpr std::size_t imap_preauth_line_size_max = 8 * 1024;  // T75
inline constexpr std::size_t imap_preauth_literal_size_max = 1024;
inline constexpr std::size_t imap_literal_size_max = 100 * 1024;  // T76; APPEND's message aside
inline constexpr std::size_t imap_literals_max = 1000;
inline constexpr std::size_t imap_command_size_max =
    1024 * 1024;                                     // all literals and lines of one command
inline constexpr std::size_t imap_nesting_max = 32;  // parentheses and search keys
inline constexpr std::size_t imap_discard_max =
    64 * 1024;  // T77: oversized non-synchronising literal
inline constexpr std::size_t imap_preauth_command_size_max = 8 * 1024;  // T75: literals included
inline constexpr std::size_t imap_bad_commands_max = 20;
inline constexpr std::size_t imap_sequence_ranges_max =
    32 * 1024;  // T78; a line of 64 KiB holds no more (Q43)
inline constexpr std::size_t imap_search_keys_max =
    5000;  // T78, per SEARCH; Message-ID lists are long
inline constexpr std::size_t imap_fetch_items_max = 256;  // T78; clients ask for fewer than 30
inline constexpr std::size_t imap_section_fields_max =
    256;  // names in HEADER.FIELDS; clients ask for fewer than 40
inline constexpr std::size_t imap_list_patterns_max = 100;
inline constexpr std::size_t imap_id_fields_max = 30;        // RFC 2971 3.3
inline constexpr std::size_t imap_id_field_size_max = 30;    // RFC 2971 3.3
inline constexpr std::size_t imap_id_value_size_max = 1024;  // RFC 2971 3.3
inline constexpr std::size_t imap_quoted_size_max = 4096;    // longer strings leave as literals
inline constexpr std::size_t search_needle_size_max = 1024;
inline constexpr std::size_t search_window_size =
    1024 * 1024;  // octets of a part decoded at once by SEARCH BODY
inline constexpr std::size_t mailboxes_max = 10000;        // T86, per account
inline constexpr std::size_t mailbox_name_size_max = 512;  // octets of UTF-8
inline constexpr std::size_t mailbox_depth_max = 32;
inline constexpr std::size_t keywords_max = 200;  // per account
inline constexpr std::size_t keyword_size_max = 128;
inline constexpr std::size_t append_annotation_max = 0;  // none are taken

// POP3.
inline constexpr std::size_t pop3_line_size_max =
    512;  // RFC 2449 4: 255 octets; AUTH responses are longer
inline constexpr std::size_t pop3_auth_line_size_max = 12288;
inline constexpr std::size_t pop3_bad_commands_max = 20;

// Connections.
inline constexpr std::size_t connections_max = 15000;  // all listeners; config: limits.connections
inline constexpr std::size_t connections_per_address_max = 50;  // per IPv4 /32 and IPv6 /64; config
inline constexpr std::size_t login_table_size_max = 20000;  // T37: names and addresses remembered
inline constexpr seconds password_memory_time =
    minutes(10);  // a right password costs a MAC again for so long
inline constexpr std::size_t stream_reads_in_turn_max =
    64;  // reads that need not wait before others get the shard
inline constexpr seconds linger_time =
    seconds(2);  // after our close, for the peer's end; else a reset eats the last reply
inline constexpr std::size_t linger_bytes_max = 256 * 1024;
inline constexpr std::size_t linger_read_size = 4096;
inline constexpr std::size_t accepts_in_turn_max = 64;  // connections taken at one wake-up
inline constexpr std::chrono::milliseconds accept_rest{
    100};  // out of descriptors: refuse one, rest, look again (T94)
inline constexpr std::size_t inherited_sockets_max = 256;
inline constexpr std::size_t tls_pem_size_max = 1024 * 1024;  // a certificate or key file
inline constexpr std::size_t tls_chain_size_max = 16;         // certificates we send
inline constexpr std::chrono::hours tls_ticket_lifetime{2};
inline constexpr std::size_t dial_addresses_max = 5;  // F9: as Postfix's smtp_mx_address_limit
inline constexpr std::size_t stream_write_buffer_max = 64 * 1024;  // drain before queueing more
inline constexpr std::size_t body_memory_size_max =
    256 * 1024;  // larger bodies go on to a file while they arrive
inline constexpr std::size_t body_memory_total_max =
    64 * 1024 * 1024;  // over all connections; past it, spool at once

// DNS. T61.
inline constexpr std::size_t dns_records_max = 100;  // per answer, as Postfix since 3.9
inline constexpr std::size_t dns_answer_size_max = 64 * 1024;
inline constexpr std::size_t dns_cname_max = 8;
inline constexpr std::size_t dns_lookups_max = 2000;        // at once; past it Unavailable
inline constexpr seconds dns_lookup_timeout = seconds(14);  // 2 + 4 + 8

// Store.
inline constexpr std::size_t blob_inline_size_max =
    8 * 1024;  // rides in the key commit: one sync less; measured, docs/benchmarks.md
inline constexpr std::size_t blob_segment_size_max = 128 * 1024 * 1024;
inline constexpr std::size_t blob_own_file_size_min =
    1024 * 1024;  // larger ones keep the file they arrived in
inline constexpr std::size_t blob_frame_size = 64 * 1024;  // one checksum each, for reading ranges
inline constexpr std::size_t blob_size_max =
    1024 * 1024 * 1024;  // of one stored body, whatever limits.message_size says
inline constexpr std::size_t blob_open_files_max = 64;  // descriptors kept for reading
inline constexpr std::size_t segment_dead_share_max =
    50;  // per cent dead before a segment is copied out
inline constexpr seconds segment_unlink_grace =
    minutes(10);  // readers that looked a body up finish first
inline constexpr std::size_t housekeeping_bytes_max = 1024 * 1024;  // bodies copied in one step
inline constexpr std::size_t fsck_examples_max = 10;                // rows named per invariant
inline constexpr std::size_t mail_id_block = 10000;  // ids reserved by one row; skipped by a crash
inline constexpr std::size_t plan_rows_max = 4096;   // a larger change is split
inline constexpr std::size_t plan_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t commit_group_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t commit_replans_max = 8;
inline constexpr std::size_t scan_rows_max = 512;  // per bounded read step
inline constexpr std::size_t stamper_accounts_max =
    4096;  // heads kept in memory between groups, about 1 KiB each
inline constexpr std::size_t thread_references_max =
    12;  // Message-IDs a message is threaded by: its own, its parents', the nearest ancestors
inline constexpr std::size_t delete_inline_messages_max =
    256;  // DELETE removes these at once, the rest in later commits

// Directory and queue.
inline constexpr std::size_t alias_expansion_max = 1000;  // recipients of one address
inline constexpr std::size_t alias_depth_max = 10;
inline constexpr std::size_t password_size_max = 1024;
inline constexpr std::size_t app_passwords_max =
    16;  // per account; each costs a failed login one hash
inline constexpr std::size_t change_log_scan_max =
    20000;  // rows read for one QRESYNC; past it, a full synchronisation is cheaper
inline constexpr std::size_t queue_error_text_size_max = 1024;  // last reply kept per recipient
inline constexpr std::size_t outbound_hosts_max = 5;            // F9: MX hosts tried in one attempt
inline constexpr std::size_t outbound_window_max =
    2000;                                               // due deliveries of one site kept in memory
inline constexpr std::size_t outbound_batch_max = 256;  // discarded in one commit
inline constexpr seconds outbound_store_pause = seconds(30);  // after the store refused an outcome
inline constexpr std::size_t trace_events_max = 64;           // kept per message
inline constexpr std::size_t dsn_returned_body_size_max = 50 * 1024;  // G7

// Administration.
inline constexpr std::size_t config_file_size_max = 1024 * 1024;  // a file of settings, not of mail
inline constexpr std::size_t config_entries_max = 20000;          // keys of all tables in it
inline constexpr std::size_t admin_request_size_max = 64 * 1024;  // one line of <data>/admin.sock
inline constexpr std::size_t admin_page_rows_max = 500;           // of a list, per request
inline constexpr seconds admin_idle_timeout = minutes(5);
inline constexpr seconds caretaker_pause = minutes(1);  // between clean-ups
inline constexpr seconds change_log_keep =
    std::chrono::days(30);                                   // then a client resynchronises whole
inline constexpr std::size_t http_head_size_max = 8 * 1024;  // request line and fields
inline constexpr seconds http_request_timeout = seconds(20);
inline constexpr seconds shutdown_grace =
    seconds(10);  // sessions and deliveries under way at SIGTERM
inline constexpr std::size_t sendmail_message_size_max =
    64 * 1024 * 1024;  // read from standard input

}  // namespace godwit::limits

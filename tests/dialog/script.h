// A dialog script: what each side says, in a plain text file that reads as documentation.
//
//   C: EHLO client.test          we (the client) send this line with CRLF
//   S: 250 ... OK                the server must say this line next; "..." stands for any text,
//                                $name binds a word where it is first met and must match it after
//   S*: A1 OK ...                lines are passed over until this one comes (C*: from a peer's
//   view) S{: ... S}:                  the lines between may come in any order C+: text without
//   CRLF        raw text; \r \n \t \0 \xHH \\ are understood in C: and C+: lines
//   @connect NAME DOOR [tls] [from=ADDRESS]   opens a connection (DOOR: smtp submission submissions
//                                lmtp imap imaps pop3 pop3s); C: and S: mean the newest, or: @on
//                                NAME
//   @login MECHANISM NAME PASSWORD [denied] [passwd=NEW]   a whole SASL exchange, which must
//   succeed
//                                (or not); passwd=: the account gets a new password in the middle
//                                of it
//   @starttls                    handshake on the current connection
//   @closed                      the server must have closed the current connection
//   @close                       we close it
//   @silent                      the server says nothing now
//   @peer NAME IP:PORT           the next connection the house makes there is NAME; on it we play
//                                the server: S: is sent, C: is expected
//   @accept NAME                 waits until the house has connected to that peer
//   @account NAME PASSWORD [QUOTA]   @alias ADDRESS TARGET...   @route DOMAIN
//   discard|hold|HOST:PORT
//   @set limit.message_size N    settings, before the house starts (see runner.cc)
//   @admin CALL {JSON}           a call of serve/admin/api.h, which must succeed
//   @dns LINE                    as in net/resolver/scripted_resolver.h
//   @advance 30m                 virtual time: s, m, h, d
//   @once                        this script is not replayed with failing steps (dialog_test.cc)
//   @restart                     graceful stop and start on the same store
//   @queue N                     the queue has N deliveries; @queue shows TEXT: one line has it
//   @operator hold | release | retry | delete   what `godwit queue VERB --all` does
//   @damage LETTER N            the N-th row of a family (docs/storage.md) becomes garbage
//   @disk full | low | free      free space below both watermarks, between them, or plenty; a
//   second
//                                goes by, since the store looks no oftener
//   @passwd NAME PASSWORD, @disable NAME, @remove NAME   an administrator changes an account
//   @fill NAME MAILBOX COUNT     small messages with the Subject "number N", delivered beside
// Blank lines and lines that begin with # are comments.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace godwit::dialog {

struct Line {
    std::size_t number = 0;  ///< In the file, from 1.
    enum class Kind : std::uint8_t {
        Client,
        ClientRaw,
        ClientSkip,
        Server,
        ServerSkip,
        ServerRaw,
        AnyOrderBegin,
        AnyOrderEnd,
        Directive
    } kind;
    std::string text;
};

Result<std::vector<Line>> parse_script(std::string_view text);

/// "\\r\\n" and the like become the bytes they stand for.
std::string unescape(std::string_view text);

}  // namespace godwit::dialog

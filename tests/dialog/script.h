// A dialog script: what each side says, in a plain text file that reads as documentation.
//
//   C: EHLO client.test          we (the client) send this line with CRLF
//   S: 250 ... OK                the server must say this line next; "..." stands for any text,
//                                $name binds a word where it is first met and must match it after
//   S*: A1 OK ...                lines are passed over until this one comes
//                                (C*: from a peer's view)
//   S{: ... S}:                  the lines between may come in any order
//   C+: text without CRLF        raw text; \r \n \t \0 \xHH \\ are understood in C: and C+: lines
//   @connect NAME DOOR [tls] [from=ADDRESS]
//                                opens a connection (DOOR: smtp submission submissions lmtp imap
//                                imaps pop3 pop3s, or proxied-smtp proxied-imaps, which want a
//                                PROXY header); C: and S: mean the newest, or: @on NAME
//   @oauth                       an issuer whose tokens are taken; OAUTHBEARER and XOAUTH2 in
//                                @login take the name of one (tokens.h) as the password
//   @login MECHANISM NAME PASSWORD [denied] [passwd=NEW]
//                                a whole SASL exchange, which must succeed (or not); passwd=: the
//                                account gets a new password in the middle of it
//   @compress [heard|off]        what is said and heard from here on is deflated; heard: what is
//                                heard alone; off: no more
//   @starttls                    handshake on the current connection
//   @starttls [self-signed] [fails] REPLY
//                                on a peer's connection: REPLY to STARTTLS, then the handshake as
//                                mx.example.com, whose certificate the house trusts or
//                                (self-signed) does not
//   @closed                      the server must have closed the current connection
//   @close                       we close it
//   @silent                      the server says nothing now
//   @peer NAME IP:PORT [tls]     (TLS from the first octet) the next connection the house makes
//                                there is NAME; on it we play the server: S: is sent, C: is
//                                expected
//   @accept NAME [from=ADDRESS|from=$NAME]
//                                waits until the house has connected to that peer, from there
//   @nobody NAME                 the house has not connected to that peer
//   @account NAME PASSWORD [QUOTA]   @alias ADDRESS TARGET...
//   @route DOMAIN discard|hold|HOST:PORT|unix:PATH|mx|mx=DOMAIN|srv=NAME [lmtp]
//                                [never-tls|require-tls|implicit-tls] [user=U password=P]
//                                [recipient=A] [sender=S] [fallback=H,..] [egress=N,..]
//                                [families=WORD]; DOMAIN "-": none
//   @egress NAME [ipv4=A] [ipv6=A] [hello=NAME] [domains=D,..]   as [[egress]]
//   @outbound [fallback=H,..] [families=WORD] [own=A,..]         as outbound.*
//   @provider NAME mx=HOST,.. [connections=N] [messages=N]       as [[provider]]
//   @set trust.xclient NETWORK   one more of trust.*
//   @set limit.message_size N    settings, before the house starts (house_settings.cc)
//   @tls_policy DOMAIN MODE      a [[tls_policy]]; the fingerprint is that of the trusted
//                                certificate
//   @dns LINE                    as in net/resolver/scripted_resolver.h; {certificate} stands for
//                                the digest of the trusted certificate ("TLSA 3 0 1 {certificate}")
//   @admin CALL {JSON}           a call of serve/admin/api.h, which must succeed
//   @advance 30m                 virtual time: s, m, h, d
//   @once                        this script is not replayed with failing steps (dialog_test.cc)
//   @index                       what is there now comes into the search index of account 1
//   @fsck                        nothing in the store is other than it should be
//   @restart                     graceful stop and start on the same store
//   @queue N                     the queue has N deliveries; @queue shows TEXT: one line has it
//   @operator VERB [JSON] [shows TEXT]
//                                what `godwit queue VERB` does (--all without arguments), or any
//                                call with a dot in its name; the answer, one JSON object, has
//                                TEXT in it
//   @damage LETTER N             the N-th row of a family (docs/storage.md) becomes garbage
//   @disk full | low | free      free space below both watermarks, between them, or plenty; a
//                                second goes by, since the store looks no oftener
//   @passwd NAME PASSWORD, @disable NAME, @remove NAME
//                                an administrator changes an account
//   @move-in NAME MAILBOX UIDL   a small message that POP3 called UIDL where it was before
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

#include "wire/imap/writer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace godwit::imap {
namespace {

template <class Write>
std::string written(Write write, NameSpelling spelling = NameSpelling::Utf7) {
    ResponseWriter writer;
    writer.set_spelling(spelling);
    write(writer);
    return writer.take();
}
std::string string_of(std::string_view value, NameSpelling spelling = NameSpelling::Utf7) {
    return written([&](ResponseWriter& w) { w.string(value); }, spelling);
}

TEST(Writer, Status_lines) {
    EXPECT_EQ(written([](auto& w) { w.tagged("a1", Condition::Ok, "", "NOOP done"); }),
              "a1 OK NOOP done\r\n");
    EXPECT_EQ(
        written([](auto& w) { w.untagged(Condition::No, code::kNonExistent, "No such mailbox"); }),
        "* NO [NONEXISTENT] No such mailbox\r\n");
}

TEST(Writer, Q33_text_is_never_empty) {
    EXPECT_EQ(written([](auto& w) { w.untagged(Condition::Ok, code::uid_next(Uid(5)), ""); }),
              "* OK [UIDNEXT 5] Done\r\n");
    EXPECT_EQ(written([](auto& w) { w.continuation(""); }), "+ Go ahead\r\n");
    EXPECT_EQ(written([](auto& w) { w.challenge(""); }), "+ \r\n");
}

TEST(Writer, Text_from_a_peer_cannot_break_the_line) {
    using std::string_literals::operator""s;
    EXPECT_EQ(written([](auto& w) { w.tagged("a", Condition::Bad, "", "x\r\n* OK \xFF\0y"s); }),
              "a BAD x??* OK ??y\r\n");
    EXPECT_EQ(written([](auto& w) { w.tagged("a", Condition::Ok, "", "[ALERT] x"); }),
              "a OK . [ALERT] x\r\n");
}

TEST(Writer, Codes) {
    const std::vector<Uid> from = {Uid(304), Uid(319), Uid(320)};
    const std::vector<Uid> to = {Uid(3956), Uid(3957), Uid(3958)};
    EXPECT_EQ(code::copy_uid(UidValidity(38505), from, to), "COPYUID 38505 304,319:320 3956:3958");
    EXPECT_EQ(code::bad_url("/x/;UID=1] OK\r\n\xff"), "BADURL /x/;UID=1%5d%20OK%0d%0a%ff");
    EXPECT_EQ(code::append_uid(UidValidity(38505), std::array{Uid(3955)}), "APPENDUID 38505 3955");
    EXPECT_EQ(code::append_uid(UidValidity(38505), std::array{Uid(4), Uid(5), Uid(6), Uid(9)}),
              "APPENDUID 38505 4:6,9");
    EXPECT_EQ(code::uid_validity(UidValidity(3857529045)), "UIDVALIDITY 3857529045");
    EXPECT_EQ(code::unseen(12), "UNSEEN 12");
    EXPECT_EQ(code::capability("IMAP4rev1"), "CAPABILITY IMAP4rev1");
}

TEST(Writer, Strings_are_quoted_where_they_may_be) {
    EXPECT_EQ(string_of("a b"), "\"a b\"");
    EXPECT_EQ(string_of(""), "\"\"");
    EXPECT_EQ(string_of("a\"\\"), "\"a\\\"\\\\\"");
    EXPECT_EQ(string_of("a\r\nb"), "{4}\r\na\r\nb");
    EXPECT_EQ(string_of("\xC3\xA9"), "{2}\r\n\xC3\xA9");
    EXPECT_EQ(string_of("\xC3\xA9", NameSpelling::Utf8), "\"\xC3\xA9\"");
    EXPECT_EQ(string_of("\xFF", NameSpelling::Utf8), "{1}\r\n\xFF");
    using std::string_literals::operator""s;
    EXPECT_EQ(string_of("a\0b"s), "\"ab\"");
    const std::size_t max = limits::imap_quoted_size_max;
    EXPECT_EQ(string_of(std::string(max, 'x')).front(), '"');
    EXPECT_EQ(string_of(std::string(max + 1, 'x')).front(), '{');
}

TEST(Writer, Astring_and_nstring) {
    const auto astring = [](std::string_view value) {
        return written([&](auto& w) { w.astring(value); });
    };
    EXPECT_EQ(astring("abc]"), "abc]");
    EXPECT_EQ(astring("a b"), "\"a b\"");
    EXPECT_EQ(astring("nil"), "\"nil\"");
    EXPECT_EQ(astring(""), "\"\"");
    EXPECT_EQ(written([](auto& w) { w.nstring(std::nullopt).raw(" ").nstring(std::string()); }),
              "NIL \"\"");
}

TEST(Writer, Q23_mailbox_names_are_quoted) {
    const auto mailbox = [](std::string_view value, NameSpelling spelling) {
        return written([&](auto& w) { w.mailbox(value); }, spelling);
    };
    EXPECT_EQ(mailbox("INBOX", NameSpelling::Utf7), "\"INBOX\"");
    EXPECT_EQ(mailbox("Entwürfe", NameSpelling::Utf7), "\"Entw&APw-rfe\"");
    EXPECT_EQ(mailbox("Entwürfe", NameSpelling::Utf8), "\"Entwürfe\"");
    EXPECT_EQ(mailbox("R&D", NameSpelling::Utf7), "\"R&-D\"");
}

TEST(Writer, Flags) {
    FlagSet flags;
    EXPECT_EQ(written([&](auto& w) { w.flags(flags); }), "()");
    EXPECT_EQ(written([&](auto& w) { w.permanent_flags(flags, true); }), "(\\*)");
    flags.set(SystemFlag::Seen);
    flags.set(SystemFlag::Answered);
    flags.keywords = {"$Forwarded"};
    EXPECT_EQ(written([&](auto& w) { w.flags(flags, true); }),
              "(\\Answered \\Seen \\Recent $Forwarded)");
    EXPECT_EQ(written([&](auto& w) { w.permanent_flags(flags, true); }),
              "(\\Answered \\Seen $Forwarded \\*)");
    EXPECT_EQ(written([&](auto& w) { w.permanent_flags(flags, false); }),
              "(\\Answered \\Seen $Forwarded)");
}

TEST(Writer, Lines_and_numbers) {
    EXPECT_EQ(written([](auto& w) { w.numbered(23, "EXISTS"); }), "* 23 EXISTS\r\n");
    EXPECT_EQ(written([](auto& w) { w.line("CAPABILITY IMAP4rev1"); }),
              "* CAPABILITY IMAP4rev1\r\n");
    EXPECT_EQ(written([](auto& w) { w.number(18446744073709551615U).crlf(); }),
              "18446744073709551615\r\n");
    EXPECT_EQ(written([](auto& w) { w.date_time(from_unix_seconds(0)); }),
              "\" 1-Jan-1970 00:00:00 +0000\"");
    EXPECT_EQ(written([](auto& w) { w.literal_header(3).raw("abc"); }), "{3}\r\nabc");
}

TEST(Writer, Drains_at_its_bound) {
    ResponseWriter writer;
    writer.raw(std::string(limits::stream_write_buffer_max - 1, 'x'));
    EXPECT_FALSE(writer.should_drain());
    writer.raw("x");
    EXPECT_TRUE(writer.should_drain());
    EXPECT_EQ(writer.take().size(), limits::stream_write_buffer_max);
    EXPECT_TRUE(writer.empty());
}

}  // namespace
}  // namespace godwit::imap

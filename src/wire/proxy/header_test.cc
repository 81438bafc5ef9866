#include "wire/proxy/header.h"

#include <gtest/gtest.h>

namespace godwit::proxy {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// Feeds as a stream would give it, in pieces of at most `piece`; the octets that were not taken.
Result<std::pair<Header, std::string>> read(std::string_view bytes, std::size_t piece = SIZE_MAX) {
    HeaderReader reader;
    while (!reader.is_done()) {
        const std::size_t size = std::min({piece, reader.wanted(), bytes.size()});
        if (size == 0) {
            return peer_error(ErrorCode::Closed, "cut short");
        }
        TRY(reader.feed(bytes.substr(0, size)));
        bytes.remove_prefix(size);
    }
    EXPECT_EQ(reader.wanted(), 0U);
    return std::pair(reader.header(), std::string(bytes));
}

std::string binary(char command, char family, std::string_view rest) {
    std::string out("\r\n\r\n\0\r\nQUIT\n"sv);
    out += command;
    out += family;
    out += static_cast<char>(rest.size() >> 8U);
    out += static_cast<char>(rest.size() & 0xFFU);
    return out.append(rest);
}
constexpr auto kV4 = "\xC0\x00\x02\x01\xC0\x00\x02\x02\x12\x67\x00\x19"sv;

TEST(ProxyHeader, version_1_whole_and_octet_by_octet) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
        const auto got = read("PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\nEHLO a\r\n", piece);
        ASSERT_TRUE(got.has_value());
        EXPECT_EQ(got->first.client, (Side{"\xC0\x00\x02\x01"s, 4711}));
        EXPECT_EQ(got->first.server, (Side{"\xC0\x00\x02\x02"s, 25}));
        EXPECT_EQ(got->second, "EHLO a\r\n");
    }
}

TEST(ProxyHeader, version_1_over_ipv6) {
    const auto got = read("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 65535\r\n");
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->first.client->address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"sv);
    EXPECT_EQ(got->first.server->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x02"sv);
    const auto full = read("PROXY TCP6 1:2:3:4:5:6:7:8 :: 1 2\r\n");
    ASSERT_TRUE(full.has_value());
    EXPECT_EQ(full->first.client->address, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\x08"sv);
    EXPECT_EQ(full->first.server->address, std::string(16, '\0'));
}

TEST(ProxyHeader, version_1_that_does_not_know) {
    for (const std::string_view line :
         {"PROXY UNKNOWN\r\n"sv, "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"sv}) {
        const auto got = read(line);
        ASSERT_TRUE(got.has_value()) << line;
        EXPECT_FALSE(got->first.client.has_value());
    }
}

TEST(ProxyHeader, version_1_line_has_at_most_107_octets) {
    const auto line = [](std::size_t size) {
        return "PROXY UNKNOWN " + std::string(size - 16, 'x') + "\r\n";
    };
    EXPECT_TRUE(read(line(106)).has_value());
    EXPECT_TRUE(read(line(107)).has_value());
    EXPECT_FALSE(read(line(108)).has_value());
    EXPECT_FALSE(read("PROXY " + std::string(10'000, 'x')).has_value());
}

TEST(ProxyHeader, malformed_lines_are_refused) {
    for (const std::string_view bad : {"EHLO client.example\r\n",
                                       "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
                                       "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
                                       "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
                                       "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
                                       "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
                                       "PROXY TCP4 1.2.3.4.5 192.0.2.2 1 2\r\n",
                                       "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
                                       "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
                                       "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
                                       "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
                                       "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
                                       "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
                                       "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n",
                                       "PROXY TCP6 1::2::3 ::1 1 2\r\n",
                                       "PROXY TCP6 12345::1 ::1 1 2\r\n",
                                       "PROXY TCP6 :::1 ::1 1 2\r\n",
                                       "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
                                       "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
                                       "PROXY \r\nPROXY UNKNOWN\r\n"}) {
        EXPECT_FALSE(read(bad).has_value()) << bad;
    }
}

TEST(ProxyHeader, version_2_over_ipv4_with_words_behind) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}}) {
        const auto got =
            read(binary(0x21, 0x11, std::string(kV4) + "\x04\x00\x01x"s) + "EHLO", piece);
        ASSERT_TRUE(got.has_value());
        EXPECT_EQ(got->first.client, (Side{"\xC0\x00\x02\x01"s, 4711}));
        EXPECT_EQ(got->first.server, (Side{"\xC0\x00\x02\x02"s, 25}));
        EXPECT_EQ(got->second, "EHLO");
    }
}

TEST(ProxyHeader, version_2_over_ipv6) {
    std::string rest = "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x01";
    rest += "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x02";
    rest += "\x12\x67\x00\x19"s;
    const auto got = read(binary(0x21, 0x21, rest));
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->first.client->address.substr(15), "\x01");
    EXPECT_EQ(got->first.client->port, 4711);
    EXPECT_EQ(got->first.server->port, 25);
}

TEST(ProxyHeader, version_2_local_and_unknown_families_keep_the_connections_own) {
    for (const std::string& header :
         {binary(0x20, 0x00, ""), binary(0x20, 0x11, kV4), binary(0x21, 0x00, ""),
          binary(0x21, 0x31, std::string(216, 'u'))}) {
        const auto got = read(header);
        ASSERT_TRUE(got.has_value());
        EXPECT_FALSE(got->first.client.has_value());
    }
}

TEST(ProxyHeader, malformed_version_2_is_refused) {
    EXPECT_FALSE(read(binary(0x11, 0x11, kV4)).has_value());
    EXPECT_FALSE(read(binary(0x22, 0x11, kV4)).has_value());
    EXPECT_FALSE(read(binary(0x21, 0x12, kV4)).has_value());
    EXPECT_FALSE(read(binary(0x21, 0x11, kV4.substr(1))).has_value());
    EXPECT_FALSE(read(binary(0x21, 0x21, kV4)).has_value());
    EXPECT_FALSE(read("\r\n\r\n\0\r\nQUIT\r\n\r\n"sv).has_value());
}

TEST(ProxyHeader, version_2_has_a_bound) {
    const auto padded = [](std::size_t size) {
        return binary(0x21, 0x11, std::string(kV4) + std::string(size - kV4.size(), '\0'));
    };
    EXPECT_TRUE(read(padded(header_rest_size_max - 1)).has_value());
    EXPECT_TRUE(read(padded(header_rest_size_max)).has_value());
    EXPECT_FALSE(read(padded(header_rest_size_max + 1)).has_value());
}

}  // namespace
}  // namespace godwit::proxy

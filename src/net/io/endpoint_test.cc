#include "net/io/endpoint.h"

#include <gtest/gtest.h>

namespace godwit::net {
namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

TEST(IpAddress, parses_and_formats) {
    for (std::string_view text : {"192.0.2.1", "::1", "2001:db8::1", "fe80::1:2"}) {
        EXPECT_EQ(ip(text).to_string(), text);
    }
    EXPECT_EQ(ip("2001:DB8:0:0::1").to_string(), "2001:db8::1");
    for (std::string_view text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
                                  "::g", "[::1]", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddress, mapped_is_v4) {
    EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    EXPECT_TRUE(ip("::ffff:127.0.0.1").is_loopback());
}

TEST(IpAddress, is_global) {
    for (std::string_view text :
         {"8.8.8.8", "198.20.0.1", "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1"}) {
        EXPECT_TRUE(ip(text).is_global()) << text;
    }
    for (std::string_view text : {"127.0.0.1",
                                  "10.1.2.3",
                                  "172.31.0.1",
                                  "192.168.1.1",
                                  "169.254.169.254",
                                  "100.64.0.1",
                                  "0.0.0.0",
                                  "224.0.0.1",
                                  "255.255.255.255",
                                  "192.0.2.1",
                                  "::",
                                  "::1",
                                  "fe80::1",
                                  "fd00::1",
                                  "ff02::1",
                                  "2001:db8::1",
                                  "::ffff:10.0.0.1",
                                  "64:ff9b::a00:1",
                                  "2002:7f00:1::",
                                  "2001::1"}) {
        EXPECT_FALSE(ip(text).is_global()) << text;
    }
}

TEST(IpAddress, limit_class) {
    EXPECT_EQ(ip("2001:db8:1:2:3:4:5:6").limit_class().to_string(), "2001:db8:1:2::");
    EXPECT_EQ(ip("192.0.2.7").limit_class(), ip("192.0.2.7"));
    EXPECT_EQ(ip("192.0.2.255").network(25).to_string(), "192.0.2.128");
    EXPECT_EQ(ip("192.0.2.255").network(0).to_string(), "0.0.0.0");
}

TEST(Endpoint, parses_and_formats) {
    for (std::string_view text : {"192.0.2.1:25", "[2001:db8::1]:465", "unix:/run/x.sock"}) {
        auto endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(endpoint->to_string(), text);
    }
    for (std::string_view text : {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "::1:25",
                                  "[1.2.3.4]:25", "unix:", "host:25", ":25"}) {
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    }
    EXPECT_TRUE(Endpoint::unix_path("/x").is_loopback());
    EXPECT_NE(Endpoint::unix_path(""), Endpoint());
}

}  // namespace
}  // namespace godwit::net

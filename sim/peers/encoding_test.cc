#include "sim/peers/encoding.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

const std::string kHead = "Subject: x\r\nContent-Transfer-Encoding: ";

TEST(SimEncoding, reads_what_rfc_2045_says) {
    const std::string sent = "Subject: x\r\n\r\nG\xC3\xA4nse = \t\r\n.\r\n";
    EXPECT_EQ(decoded(kHead + "8bit\r\n\r\nG\xC3\xA4nse = \t\r\n.\r\n"), sent);
    EXPECT_EQ(decoded(kHead + "quoted-printable\r\n\r\nG=C3=A4n=\r\nse =3D =09\r\n=2E\r\n"), sent);
    EXPECT_EQ(decoded(kHead + "Base64\r\n\r\nR8OkbnNlID0g\r\nCQ0KLg0K\r\n"), sent);
    EXPECT_EQ(decoded("no header at all"), "no header at all");
}

TEST(SimEncoding, what_is_not_so_is_told) {
    EXPECT_FALSE(decoded(kHead + "quoted-printable\r\n\r\na=zz\r\n"));
    EXPECT_FALSE(decoded(kHead + "quoted-printable\r\n\r\na="));
    EXPECT_FALSE(decoded(kHead + "base64\r\n\r\nG\xC3\xA4nse\r\n"));
}

}  // namespace
}  // namespace godwit::sim

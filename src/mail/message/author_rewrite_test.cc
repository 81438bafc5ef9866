#include "mail/message/author_rewrite.h"

#include <gtest/gtest.h>

#include <vector>

namespace godwit::mail {
namespace {

const std::vector<DomainMove> kMoves = {{.from = "old.test", .to = "new.test"}};

std::string moved(std::string_view block) {
    return move_author_domains(block, kMoves);
}

TEST(AuthorRewrite, Domains_of_authors_are_replaced_and_nothing_else) {
    EXPECT_EQ(moved("From: Ann <ann@old.test>\r\nTo: bob@old.test\r\n\r\n"),
              "From: Ann <ann@new.test>\r\nTo: bob@old.test\r\n\r\n");
    EXPECT_EQ(moved("Sender:ann@OLD.test\r\nfrom : \"x@old.test\" <a@old.test>, b@far.test\r\n"),
              "Sender:ann@new.test\r\nfrom : \"x@old.test\" <a@new.test>, b@far.test\r\n");
    EXPECT_EQ(moved("From: (me@old.test) \"a b\"@\r\n old.test\r\n\r\n"),
              "From: (me@old.test) \"a b\"@\r\n new.test\r\n\r\n");
}

TEST(AuthorRewrite, Other_domains_stay) {
    for (const char* block : {"From: a@sub.old.test\r\n", "From: a@old.test.example\r\n",
                              "From: a@old\r\n", "Reply-To: a@old.test\r\n", "From: @", "",
                              "From: a@", "From: \"open", "From: (open @old.test"}) {
        EXPECT_EQ(moved(block), block);
    }
}

}  // namespace
}  // namespace godwit::mail

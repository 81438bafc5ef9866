#include "flow/oauth/key_shelf.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using Next = KeyShelf::Next;
using std::chrono::milliseconds;
using std::chrono::seconds;

KeyShelf::Keys some() {
    return std::make_shared<const std::vector<oauth::Jwk>>(1);
}

const MonoTime kStart = MonoTime() + std::chrono::hours(1000);

TEST(KeyShelf, keys_are_taken_for_an_hour_and_fetched_once) {
    KeyShelf shelf;
    EXPECT_EQ(shelf.next("a", false, kStart).next, Next::Fetch);
    EXPECT_EQ(shelf.next("a", false, kStart).next, Next::Wait);
    EXPECT_EQ(shelf.next("b", false, kStart).next, Next::Fetch);
    const KeyShelf::Keys keys = some();
    shelf.end("a", keys, kStart);
    const MonoTime old = kStart + keys_refresh_after;
    EXPECT_EQ(shelf.next("a", false, old - milliseconds(1)).keys, keys);
    const KeyShelf::Step refresh = shelf.next("a", false, old);
    EXPECT_EQ(refresh.next, Next::Fetch);
    EXPECT_EQ(refresh.keys, keys);
    // Meanwhile the others take what there is.
    EXPECT_EQ(shelf.next("a", false, old).keys, keys);
    shelf.abandon("a");
    EXPECT_EQ(shelf.next("a", false, old + keys_fetch_pause).next, Next::Fetch);
}

TEST(KeyShelf, an_unknown_key_leads_to_one_fetch_a_minute) {
    KeyShelf shelf;
    static_cast<void>(shelf.next("a", false, kStart));
    shelf.end("a", some(), kStart);
    EXPECT_EQ(shelf.next("a", true, kStart + keys_fetch_pause - milliseconds(1)).next, Next::Take);
    EXPECT_EQ(shelf.next("a", true, kStart + keys_fetch_pause).next, Next::Fetch);
    // Who wants newer ones waits as long as it takes, and then takes what there is.
    EXPECT_EQ(shelf.next("a", true, kStart + keys_fetch_pause).next, Next::Wait);
    EXPECT_EQ(shelf.next("a", true, kStart + 3 * keys_fetch_pause).next, Next::Wait);
    const KeyShelf::Keys newer = some();
    shelf.end("a", newer, kStart + 3 * keys_fetch_pause);
    EXPECT_EQ(shelf.next("a", true, kStart + 3 * keys_fetch_pause).keys, newer);
}

TEST(KeyShelf, stale_keys_hold_for_a_day_while_none_can_be_had) {
    KeyShelf shelf;
    static_cast<void>(shelf.next("a", false, kStart));
    shelf.end("a", nullptr, kStart);
    EXPECT_EQ(shelf.next("a", false, kStart + seconds(1)).next, Next::GiveUp);
    EXPECT_EQ(shelf.next("a", false, kStart + keys_fetch_pause).next, Next::Fetch);
    const KeyShelf::Keys keys = some();
    shelf.end("a", keys, kStart);
    const MonoTime end = kStart + keys_stale_max;
    static_cast<void>(shelf.next("a", false, end - seconds(2)));
    shelf.end("a", nullptr, end - seconds(2));
    EXPECT_EQ(shelf.next("a", false, end - seconds(1)).keys, keys);
    EXPECT_EQ(shelf.next("a", false, end).next, Next::GiveUp);
}

TEST(KeyShelf, sets_of_old_configurations_are_not_kept_for_ever) {
    KeyShelf shelf;
    for (std::size_t i = 0; i < key_sets_max; ++i) {
        const std::string name = std::to_string(i);
        static_cast<void>(shelf.next(name, false, kStart));
        shelf.end(name, some(), kStart);
    }
    EXPECT_EQ(shelf.next("0", false, kStart).next, Next::Take);
    EXPECT_EQ(shelf.next("new", false, kStart).next, Next::Fetch);
    EXPECT_EQ(shelf.next("0", false, kStart).next, Next::Fetch);
}

}  // namespace
}  // namespace godwit::flow

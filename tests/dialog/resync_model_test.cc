// A client that keeps a cache, loses its connection wherever, and comes back with QRESYNC: after
// each return its cache is the mailbox, whatever others did and whatever became of the change log.
// RFC 7162 3.2, 6.
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <random>

#include "stage.h"
#include "wire/imap/seqset.h"

namespace godwit::dialog {
namespace {

struct Talker {
    std::unique_ptr<net::Stream> stream;
    std::string unread;
};

net::Task<void> enter(Stage* stage, Talker* talker) {
    net::ConnectRequest request;
    request.to = Stage::door("imap");
    request.deadline = net::Shard::here().now() + std::chrono::minutes(1);
    auto stream = co_await stage->network().connect(std::move(request));
    talker->stream = std::move(*stream);
    talker->unread.clear();
}

// The lines of the answer, the tagged one last.
net::Task<std::vector<std::string>> ask(Talker* talker, std::string command) {
    std::vector<std::string> lines;
    const std::string line = "a " + std::move(command) + "\r\n";
    const Result<> written = co_await talker->stream->write_all(line);
    while (written) {
        const std::size_t end = talker->unread.find("\r\n");
        if (end != std::string::npos) {
            lines.push_back(talker->unread.substr(0, end));
            talker->unread.erase(0, end + 2);
            if (lines.back().starts_with("a ")) {
                EXPECT_TRUE(lines.back().starts_with("a OK") || lines.back().starts_with("a NO"))
                    << line << lines.back();
                break;
            }
            continue;
        }
        std::string block(4096, '\0');
        const Result<std::size_t> got = co_await talker->stream->read_some(block);
        if (!got || *got == 0) {
            break;
        }
        talker->unread.append(block, 0, *got);
    }
    co_return lines;
}

net::Task<void> say(Talker* talker, std::string command) {
    static_cast<void>(co_await ask(talker, std::move(command)));
}

// What stands between two words of a line.
std::string between(const std::string& line, std::string_view from, std::string_view to) {
    const std::size_t at = line.find(from);
    if (at == std::string::npos) {
        return "";
    }
    const std::size_t begin = at + from.size();
    return line.substr(begin, line.find(to, begin) - begin);
}

std::uint64_t number(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::uint32_t uid_in(const std::string& line) {
    return static_cast<std::uint32_t>(number(between(line, "UID ", " ")));
}

// Flags by uid. \Recent is nothing that a client keeps.
using Flags = std::map<std::uint32_t, std::string>;

std::string flags_in(const std::string& line) {
    std::string flags = between(line, "FLAGS (", ")");
    if (const std::size_t recent = flags.find("\\Recent"); recent != std::string::npos) {
        flags.erase(recent, 7);
    }
    while (flags.ends_with(' ')) {
        flags.pop_back();
    }
    return flags;
}

struct Cache {
    Flags messages;
    std::uint64_t validity = 1;
    std::uint64_t mod_seq = 1;
    std::uint32_t last_uid = 0;  ///< Up to here new messages were asked for.
};

// RFC 7162 6: what a client does with an answer.
void learn(Cache* cache, const std::vector<std::string>& lines) {
    std::uint64_t seen = 0;
    std::uint64_t said = 0;
    for (const std::string& line : lines) {
        if (line.contains("[HIGHESTMODSEQ ")) {
            said = number(between(line, "[HIGHESTMODSEQ ", "]"));
        }
        if (line.starts_with("* VANISHED ")) {
            const std::string set = line.substr(line.rfind(' ') + 1);
            const imap::NumberSet gone = imap::SequenceSet::parse(set)->resolve(0);
            std::erase_if(cache->messages,
                          [&gone](const auto& entry) { return gone.contains(entry.first); });
        } else if (line.contains(" FETCH (")) {
            const auto uid = uid_in(line);
            // Of one that it has not fetched it wants to hear when it fetches it.
            if (uid <= cache->last_uid) {
                cache->messages[uid] = flags_in(line);
            }
            seen = std::max(seen, number(between(line, "MODSEQ (", ")")));
        } else if (line.starts_with("* OK [UIDVALIDITY ")) {
            cache->validity = number(between(line, "[UIDVALIDITY ", "]"));
        }
    }
    cache->mod_seq = said != 0 ? said : std::max(cache->mod_seq, seen);
}

class Life {
public:
    Life(Stage* stage, unsigned seed) : stage_(stage), random_(seed) {}

    net::Task<void> run() {
        for (Talker* talker : {&other_, &witness_}) {
            co_await enter(stage_, talker);
            co_await say(talker, "LOGIN alice alice");
        }
        co_await say(&other_, "CREATE Other");
        co_await say(&other_, "SELECT INBOX");
        for (int visit = 0; visit < kVisits && !::testing::Test::HasFailure(); ++visit) {
            co_await disturb(below(12));
            if (below(3) == 0) {
                static_cast<void>(stage_->damage('L', 1 + below(60)));
            }
            co_await come_back();
            co_await compare(visit);
            co_await stay();
            client_.stream.reset();
        }
        is_done = true;
    }
    bool is_done = false;

private:
    static constexpr int kVisits = 25;

    std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

    // Somebody else's changes.
    net::Task<void> disturb(std::uint32_t count) {
        static constexpr const char* kWords[] = {"+FLAGS (\\Seen)", "-FLAGS (\\Seen)",
                                                 "FLAGS (\\Flagged Work)", "+FLAGS (\\Deleted)"};
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::string uid = std::to_string(1 + below(60));
            switch (below(6)) {
                case 0:
                case 1: co_await say(&other_, "APPEND INBOX {12+}\r\nSubject: s\r\n"); break;
                case 2:
                case 3: co_await say(&other_, "UID STORE " + uid + " " + kWords[below(4)]); break;
                case 4: co_await say(&other_, "EXPUNGE"); break;
                default: co_await say(&other_, "UID MOVE " + uid + " Other"); break;
            }
        }
    }

    std::string resync_words() {
        const Flags& known = cache_.messages;
        std::string words =
            "(QRESYNC (" + std::to_string(cache_.validity) + " " + std::to_string(cache_.mod_seq);
        if (known.empty()) {
            return words + "))";
        }
        if (below(2) == 0) {
            imap::NumberSet uids;
            for (const auto& [uid, flags] : known) {
                uids.add(uid);
            }
            words += " " + uids.to_string();
        }
        imap::NumberSet numbers;
        imap::NumberSet uids;
        std::uint32_t at = 0;
        for (const auto& [uid, flags] : known) {
            ++at;
            if (below(3) == 0) {
                numbers.add(at);
                uids.add(uid);
            }
        }
        if (!numbers.empty() && below(2) == 0) {
            words += " (" + numbers.to_string() + " " + uids.to_string() + ")";
        }
        return words + "))";
    }

    net::Task<void> come_back() {
        co_await enter(stage_, &client_);
        co_await say(&client_, "LOGIN alice alice");
        co_await say(&client_, "ENABLE QRESYNC");
        const std::string select = "SELECT INBOX " + resync_words();
        const std::uint64_t before = cache_.validity;
        const auto lines = co_await ask(&client_, select);
        learn(&cache_, lines);
        if (before != cache_.validity) {
            cache_.messages.clear();
        }
        co_await fetch_new();
    }

    net::Task<void> fetch_new() {
        const std::uint32_t last = cache_.last_uid;
        const auto lines =
            co_await ask(&client_, "UID FETCH " + std::to_string(last + 1) + ":* (FLAGS)");
        for (const std::string& line : lines) {
            if (line.contains(" FETCH (")) {
                cache_.last_uid = std::max(cache_.last_uid, uid_in(line));
            }
        }
        learn(&cache_, lines);
    }

    // While the client is there: it reads with numbers, so that expunges are held back from it.
    net::Task<void> stay() {
        for (std::uint32_t i = below(8); i != 0; --i) {
            co_await disturb(below(4));
            const std::string command = below(3) == 0             ? "NOOP"
                                        : below(2) == 0           ? "UID FETCH 1:* (FLAGS MODSEQ)"
                                        : cache_.messages.empty() ? "NOOP"
                                                                  : "FETCH 1:* (UID FLAGS MODSEQ)";
            const auto lines = co_await ask(&client_, command);
            learn(&cache_, lines);
        }
    }

    net::Task<void> compare(int visit) {
        const auto lines = co_await examine();
        Flags truth;
        for (const std::string& line : lines) {
            if (line.contains(" FETCH (")) {
                truth[uid_in(line)] = flags_in(line);
            }
        }
        for (const auto& [uid, flags] : truth) {
            const auto found = cache_.messages.find(uid);
            EXPECT_EQ(found == cache_.messages.end() ? "not there" : found->second, flags)
                << "visit " << visit << ", uid " << uid;
        }
        for (const auto& [uid, flags] : cache_.messages) {
            EXPECT_TRUE(truth.contains(uid)) << "visit " << visit << ", uid " << uid << " is gone";
        }
    }

    net::Task<std::vector<std::string>> examine() {
        co_await say(&witness_, "EXAMINE INBOX");
        co_return co_await ask(&witness_, "UID FETCH 1:* (FLAGS)");
    }

    Stage* stage_;
    std::mt19937 random_;
    Talker other_;
    Talker witness_;
    Talker client_;
    Cache cache_;
};

class ResyncModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(ResyncModel, A_client_that_comes_back_knows_all) {
    Stage stage;
    stage.start();
    Life life(&stage, GetParam());
    net::spawn(stage.loop().shard(), "test.resync", life.run());
    for (int i = 0; i < 100 && !life.is_done; ++i) {
        stage.advance(std::chrono::seconds(1));
    }
    EXPECT_TRUE(life.is_done);
}
INSTANTIATE_TEST_SUITE_P(Seeds, ResyncModel, ::testing::Range(1U, 61U));

}  // namespace
}  // namespace godwit::dialog

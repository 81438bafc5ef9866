// A file of keys that is cut or hit anywhere gives every row that is not hit, with its index or
// without it.
#include "store/backup/key_file.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "store/blob/memory_files.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr const char* kPath = "/keys";

struct Row {
    std::string key;
    std::string value;
    std::size_t block = 0;
    std::size_t end = 0;  ///< Where it ends in the file.
    bool operator==(const Row& other) const { return key == other.key && value == other.value; }
};

struct Sample {
    std::string octets;
    std::vector<Row> rows;
    std::vector<std::size_t> blocks;  ///< Their offsets.
    std::size_t index = 0;
};

/// Small blocks, so that every octet can be tried. `trap` stands in a value of each.
Sample make_sample(std::size_t blocks, std::size_t rows_each, const std::string& trap = "") {
    Sample sample;
    sample.octets = encode(KeyFileHeader{.store = 7, .commit = CommitSeq(9)});
    std::vector<BlockPlace> index;
    std::size_t total = 0;
    for (std::size_t number = 0; number < blocks; ++number) {
        BlockBuilder block;
        index.push_back({.offset = sample.octets.size(), .first_key = ""});
        sample.blocks.push_back(sample.octets.size());
        for (std::size_t i = 0; i < rows_each; ++i, ++total) {
            const std::string key = "K" + std::to_string(1000 + total);
            const std::string value =
                seal(1, std::string(total % 5 * 9, 'v') + (i == 1 ? trap : ""));
            block.add(key, value);
            sample.rows.push_back({.key = key,
                                   .value = value,
                                   .block = number,
                                   .end = sample.octets.size() + block_head_size + block.size()});
        }
        index.back().first_key = block.first_key();
        sample.octets += block.take(static_cast<std::uint32_t>(number));
    }
    sample.index = sample.octets.size();
    const KeyFileTrailer trailer{.index_offset = sample.octets.size(),
                                 .rows = total,
                                 .blocks = static_cast<std::uint32_t>(blocks)};
    sample.octets += encode(index) + encode(trailer);
    return sample;
}

struct Given {
    std::vector<Row> rows;
    std::size_t damage = 0;
};

Given read_all(const std::string& octets) {
    MemoryFiles files;
    files.set_content(kPath, octets);
    auto reader = KeyFileReader::open(files.open(kPath, OpenMode::Read).value(),
                                      KeyFileReader::OnDamage::PassOver);
    EXPECT_TRUE(reader) << reader.error().text;
    Given given;
    for (std::size_t number = 0; reader && number < reader->blocks(); ++number) {
        for (const BackupRowView& row : **reader->block(number)) {
            given.rows.push_back({.key = std::string(row.key), .value = std::string(row.value)});
        }
    }
    // Each is found by its key, too.
    for (const Row& row : given.rows) {
        EXPECT_EQ(reader->get(row.key).value(), row.value) << row.key;
    }
    given.damage = reader ? reader->damage().size() : 0;
    return given;
}

/// No row that was not there, and what is missing is of `blocks_max` blocks.
void expect_costs_at_most(const Sample& sample, const Given& given, std::size_t blocks_max,
                          const std::string& what) {
    std::size_t at = 0;
    std::set<std::size_t> hit;
    for (const Row& row : sample.rows) {
        if (at < given.rows.size() && given.rows[at] == row) {
            ++at;
        } else {
            hit.insert(row.block);
        }
    }
    EXPECT_EQ(at, given.rows.size()) << what << ": a row that never was";
    EXPECT_LE(hit.size(), blocks_max) << what;
}

TEST(KeyFile, Cut_anywhere_gives_all_whole_rows_before_the_cut) {
    for (const std::size_t rows_each : {1U, 6U, 40U}) {
        const Sample sample = make_sample(5, rows_each);
        ASSERT_EQ(read_all(sample.octets).rows, sample.rows);
        ASSERT_EQ(read_all(sample.octets).damage, 0U);
        for (std::size_t cut = 0; cut < sample.octets.size(); ++cut) {
            std::vector<Row> expected;
            for (const Row& row : sample.rows) {
                if (row.end <= cut) {
                    expected.push_back(row);
                }
            }
            const Given given = read_all(sample.octets.substr(0, cut));
            ASSERT_EQ(given.rows, expected) << "cut at " << cut;
            ASSERT_GE(given.damage, 1U) << cut;
        }
    }
}

TEST(KeyFile, Flip_anywhere_costs_rows_of_one_block) {
    const Sample sample = make_sample(5, 6);
    for (std::size_t at = 0; at < sample.octets.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string octets = sample.octets;
            octets[at] = static_cast<char>(octets[at] ^ static_cast<char>(1U << bit));
            const Given given = read_all(octets);
            const bool is_in_rows = at >= key_file_header_size && at < sample.index;
            expect_costs_at_most(sample, given, is_in_rows ? 1 : 0, "octet " + std::to_string(at));
            ASSERT_GE(given.damage, 1U) << at;
        }
    }
}

// Both at once: the index is gone and a block is hit.
TEST(KeyFile, Flip_in_a_file_without_its_index_costs_rows_of_one_block) {
    const Sample sample = make_sample(5, 6);
    for (std::size_t at = 0; at < sample.index; ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string octets = sample.octets.substr(0, sample.index);
            octets[at] = static_cast<char>(octets[at] ^ static_cast<char>(1U << bit));
            expect_costs_at_most(sample, read_all(octets), 1, "octet " + std::to_string(at));
        }
    }
}

TEST(KeyFile, Zeros_over_a_whole_block_cost_that_block) {
    const Sample sample = make_sample(6, 6);
    for (std::size_t number = 0; number + 1 < sample.blocks.size(); ++number) {
        std::string octets = sample.octets.substr(0, sample.index);
        const std::size_t from = sample.blocks[number];
        octets.replace(from, sample.blocks[number + 1] - from,
                       std::string(sample.blocks[number + 1] - from, '\0'));
        const Given given = read_all(octets);
        expect_costs_at_most(sample, given, 1, "block " + std::to_string(number));
        EXPECT_EQ(given.rows.size(), 30U) << number;
        EXPECT_GE(given.damage, 2U) << number;
    }
}

// A message may hold the octets of a block: they are a value, not rows.
TEST(KeyFile, Block_in_a_message_is_not_taken_for_one) {
    BlockBuilder false_block;
    false_block.add("K1003x", seal(1, "planted"));
    const Sample sample = make_sample(4, 6, false_block.take(1));
    for (std::size_t cut = 0; cut < sample.octets.size(); ++cut) {
        expect_costs_at_most(sample, read_all(sample.octets.substr(0, cut)), 4,
                             "cut at " + std::to_string(cut));
    }
    for (std::size_t i = 0; i < block_head_size; ++i) {
        std::string octets = sample.octets.substr(0, sample.index);
        octets[sample.blocks[0] + i] = static_cast<char>(octets[sample.blocks[0] + i] ^ 1);
        expect_costs_at_most(sample, read_all(octets), 1, "octet " + std::to_string(i));
    }
}

// Nothing but heads: the search ends.
TEST(KeyFile, File_of_false_heads_is_read_in_linear_time) {
    const Sample sample = make_sample(2, 6);
    std::string octets = sample.octets.substr(0, sample.index);
    octets[sample.blocks[1]] = 'x';
    std::string head("BLOK\0\0\0\2\0\0\0\1\0\x10\0\0", 16);
    for (int i = 0; i < 50'000; ++i) {
        octets += head;
    }
    EXPECT_GE(read_all(octets).rows.size(), 6U);
}

TEST(KeyFile, Large_file_cut_at_many_places) {
    MemoryFiles files;
    std::vector<Row> rows;
    SeededRandom random{3};
    auto writer = KeyFileWriter::begin(files.open(kPath, OpenMode::Create).value(),
                                       KeyFileHeader{.store = 1, .commit = CommitSeq(1)})
                      .value();
    for (std::size_t i = 0; i < 300; ++i) {
        Row row{.key = "M" + std::to_string(100'000 + i),
                .value = seal(1, random.bytes(i % 50 == 7 ? 90'000 : 1'500))};
        ASSERT_TRUE(writer.add(row.key, row.value));
        rows.push_back(std::move(row));
    }
    ASSERT_TRUE(writer.finish());
    const std::string whole = files.content(kPath);
    EXPECT_EQ(read_all(whole.substr(0, whole.size() - 1)).rows, rows);
    std::string flipped = whole;
    flipped[whole.size() - 10] = static_cast<char>(flipped[whole.size() - 10] ^ 1);
    EXPECT_EQ(read_all(flipped).rows, rows);
    const std::size_t half = read_all(whole.substr(0, whole.size() / 2)).rows.size();
    EXPECT_GT(half, 140U);
    EXPECT_LT(half, 160U);
}

}  // namespace
}  // namespace godwit::store

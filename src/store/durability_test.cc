#include "store/durability.h"

#include <gtest/gtest.h>

namespace godwit::store {
namespace {

// As proc_pid_mountinfo(5) writes it: id, parent, device, root, mount point, options, tags, "-",
// type, source, options of the file system.
constexpr std::string_view kMounts =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "25 22 0:5 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw,size=1g\n"
    "26 22 254:16 / /srv/mail rw,relatime shared:9 master:2 - xfs /dev/vdb rw,attr2\n"
    "27 22 254:17 / /srv/mailold rw,relatime - ext4 /dev/vdc rw,nobarrier\n"
    "28 22 0:40 / /mnt/with\\040space rw - fuse.sshfs host: rw\n"
    "29 22 0:41 / /mnt/nfs rw - nfs4 filer:/ rw\n"
    "half a line\n";

TEST(Durability, The_longest_mount_decides) {
    EXPECT_EQ(durability_by_mounts(kMounts, "/var/lib/godwit").file_system, "ext4");
    EXPECT_EQ(durability_by_mounts(kMounts, "/var/lib/godwit").level, DurabilityLevel::Synced);
    EXPECT_EQ(durability_by_mounts(kMounts, "/srv/mail").file_system, "xfs");
    EXPECT_EQ(durability_by_mounts(kMounts, "/srv/mail/a").level, DurabilityLevel::Synced);
    EXPECT_EQ(durability_by_mounts(kMounts, "/srv/mailbox").file_system, "ext4");
}

TEST(Durability, What_forgets_and_what_is_elsewhere_is_said) {
    EXPECT_EQ(durability_by_mounts(kMounts, "/tmp/x").level, DurabilityLevel::Volatile);
    EXPECT_NE(durability_by_mounts(kMounts, "/tmp/x").remark.find("tmpfs"), std::string::npos);
    EXPECT_EQ(durability_by_mounts(kMounts, "/srv/mailold").level, DurabilityLevel::Volatile);
    EXPECT_NE(durability_by_mounts(kMounts, "/srv/mailold").remark.find("barriers"),
              std::string::npos);
    EXPECT_EQ(durability_by_mounts(kMounts, "/mnt/with space/x").level, DurabilityLevel::Unknown);
    EXPECT_EQ(durability_by_mounts(kMounts, "/mnt/nfs").level, DurabilityLevel::Unknown);
    EXPECT_EQ(durability_by_mounts("", "/x").level, DurabilityLevel::Unknown);
}

TEST(Durability, This_machine_has_an_answer) {
    EXPECT_FALSE(durability_of("/").file_system.empty());
}

}  // namespace
}  // namespace godwit::store

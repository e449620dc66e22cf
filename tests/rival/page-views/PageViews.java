package tidemill.rival;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** Page view number n of a seed: the very rows of Tidemill's generator with its default options. */
final class PageViews {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;
    private static final long START_MS = 1_767_225_600_000L;
    private static final long ROWS_PER_MS = 10;
    private static final int PAGES = 1_000;
    private static final long USERS = 100_000;
    private static final long LONGEST_MS = 120_000;
    /** Picked by three bits; null stands for NULL. */
    private static final String[] REFERRERS = {
        null, "https://search.example/", "https://search.example/", "https://search.example/", "https://news.example/front",
        "https://social.example/feed", "https://mail.example/inbox", "https://partner.example/offers",
    };

    /** How a row comes by its strings. */
    enum Strings {
        /** Every row has bytes of its own, as rows of any real source do and as Tidemill's columns have. */
        OWN,
        /** Rows point to ready strings, and one row object is filled again and again: nothing is made at all. */
        POOLED
    }

    private final long key;
    private final Strings strings;
    private final Zipf zipf = new Zipf(PAGES);
    private final BinaryStringData[] pages = new BinaryStringData[PAGES];
    private final BinaryStringData[] referrers = new BinaryStringData[REFERRERS.length];
    private final byte[][] pageBytes = new byte[PAGES][];
    private final byte[][] referrerBytes = new byte[REFERRERS.length][];
    private final GenericRowData pooledRow = new GenericRowData(5);

    PageViews(long seed, Strings strings) {
        this.key = mix(seed * GOLDEN);
        this.strings = strings;
        for (int page = 0; page < PAGES; page++) {
            pageBytes[page] = ("/page/" + page).getBytes(StandardCharsets.UTF_8);
            pages[page] = BinaryStringData.fromBytes(pageBytes[page]);
        }
        for (int referrer = 1; referrer < REFERRERS.length; referrer++) {
            referrerBytes[referrer] = REFERRERS[referrer].getBytes(StandardCharsets.UTF_8);
            referrers[referrer] = BinaryStringData.fromBytes(referrerBytes[referrer]);
        }
    }

    RowData row(long number) {
        long base = key + number * GOLDEN;
        long bits = mix(base ^ 0xd1b54a32d192ed03L);
        int page = zipf.rank(mix(base));
        int referrer = (int) (bits & 7);
        boolean own = strings == Strings.OWN;
        GenericRowData row = own ? new GenericRowData(5) : pooledRow;
        row.setField(0, own ? copied(pageBytes[page]) : pages[page]);
        row.setField(1, ((bits >>> 40) * USERS) >>> 24);
        row.setField(2, TimestampData.fromEpochMillis(START_MS + number / ROWS_PER_MS));
        row.setField(3, own ? copied(referrerBytes[referrer]) : referrers[referrer]);
        row.setField(4, (((bits >>> 8) & 0xffff) * ((bits >>> 24) & 0xffff) * LONGEST_MS) >>> 32);
        return row;
    }

    private static StringData copied(byte[] bytes) {
        return bytes == null ? null : BinaryStringData.fromBytes(Arrays.copyOf(bytes, bytes.length));
    }

    static long mix(long value) {
        value = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
        value = (value ^ (value >>> 27)) * 0x94d049bb133111ebL;
        return value ^ (value >>> 31);
    }

    /** Ranks by Zipf's law, by Walker's alias table, built in the order in which Tidemill builds it. */
    private static final class Zipf {
        private final long[] limits;
        private final int[] others;

        Zipf(int ranks) {
            double total = 0;
            for (int rank = 1; rank <= ranks; rank++) {
                total += 1.0 / rank;
            }
            double[] weights = new double[ranks];
            limits = new long[ranks];
            others = new int[ranks];
            Deque<Integer> small = new ArrayDeque<>();
            Deque<Integer> large = new ArrayDeque<>();
            for (int place = 0; place < ranks; place++) {
                weights[place] = ranks / ((place + 1) * total);
                limits[place] = 0xffffffffL;
                others[place] = place;
                (weights[place] < 1.0 ? small : large).push(place);
            }
            while (!small.isEmpty() && !large.isEmpty()) {
                int below = small.pop();
                int above = large.peek();
                limits[below] = (long) (weights[below] * 4_294_967_296.0);
                others[below] = above;
                weights[above] -= 1.0 - weights[below];
                if (weights[above] < 1.0) {
                    small.push(large.pop());
                }
            }
        }

        int rank(long random) {
            int place = (int) (((random >>> 32) * limits.length) >>> 32);
            return (random & 0xffffffffL) <= limits[place] ? place : others[place];
        }
    }
}

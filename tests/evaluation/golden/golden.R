# Reference values for tests/evaluation. Run in this folder: Rscript golden.R
# pROC is called with direction "<" (positives score higher), otherwise it turns curves around by itself.
suppressPackageStartupMessages(library(pROC))
set.seed(20240501)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# ---- scores -------------------------------------------------------------------------------------------------
case_set <- function(name, label, first, second) data.frame(set = name, label = label, first = first, second = second)
plain <- rep(0:1, c(60, 40)); rare <- rep(c(1, 0), c(6, 194)); x <- rnorm(80)
cases <- rbind(
  case_set("continuous", plain, rnorm(100) + plain, rnorm(100) + 0.6 * plain),
  case_set("tied", plain, round(rnorm(100) + plain), round(2 * (rnorm(100) + plain)) / 2),
  case_set("imbalanced", rare, rnorm(200) + 1.5 * rare, rnorm(200) + rare),
  case_set("tiny", c(1, 0, 1, 0, 0), c(.9, .8, .7, .6, .1), c(.5, .5, .9, .2, .4)),
  case_set("perfect", rep(0:1, c(5, 5)), 1:10, c(1, 2, 3, 9, 4, 6, 7, 8, 5, 10)),
  case_set("constant", rep(0:1, c(5, 5)), rep(.3, 10), c(1, 2, 3, 9, 4, 6, 7, 8, 5, 10)),
  case_set("same_ranking", rep(0:1, 40), x, exp(2 * x) + 3))
save_csv(cases, "cases.csv")

data(aSAH)
save_csv(data.frame(label = as.integer(aSAH$outcome == "Poor"), s100b = aSAH$s100b, ndka = aSAH$ndka, wfns = as.integer(aSAH$wfns)), "asah.csv")
asah <- read.csv("asah.csv")
for (pair in list(c("s100b", "wfns"), c("s100b", "ndka"), c("wfns", "ndka")))
  cases <- rbind(cases, case_set(paste0("asah_", pair[1], "_", pair[2]), asah$label, asah[[pair[1]]], asah[[pair[2]]]))

# ---- AUC, DeLong interval, paired DeLong test ----------------------------------------------------------------
curve <- function(label, score) roc(label, score, levels = c(0, 1), direction = "<", quiet = TRUE)
areas <- pairs <- points <- NULL
for (name in unique(cases$set)) {
  one <- cases[cases$set == name, ]
  curves <- list(first = curve(one$label, one$first), second = curve(one$label, one$second))
  for (score in names(curves)) {
    interval <- suppressWarnings(ci.auc(curves[[score]], method = "delong"))
    areas <- rbind(areas, data.frame(set = name, score = score, auc = as.numeric(auc(curves[[score]])),
      variance = suppressWarnings(var(curves[[score]], method = "delong")), low = interval[1], high = interval[3]))
  }
  test <- suppressWarnings(roc.test(curves$first, curves$second, method = "delong", paired = TRUE))
  pairs <- rbind(pairs, data.frame(set = name, z = as.numeric(test$statistic), p = test$p.value,
    low = test$conf.int[1], high = test$conf.int[2]))
  # ---- counts at Youden's point and at sensitivity or specificity of at least .90; thresholds themselves are midpoints in pROC
  all_points <- coords(curves$first, "all", ret = c("threshold", "tp", "fp", "fn", "tn"), transpose = FALSE)
  sensitivity <- all_points$tp / (all_points$tp + all_points$fn); specificity <- all_points$tn / (all_points$tn + all_points$fp)
  enough <- function(rate) which(rate >= 0.9)
  youden <- which(abs(sensitivity + specificity - max(sensitivity + specificity)) < 1e-12)
  chosen <- c("sensitivity>=0.90" = max(enough(sensitivity)), "specificity>=0.90" = min(enough(specificity)), "youden" = min(youden))
  for (rule in names(chosen)) points <- rbind(points, data.frame(set = name, rule = rule, round(all_points[chosen[[rule]], c("tp", "fp", "fn", "tn")])))
}
save_csv(areas, "areas.csv"); save_csv(pairs, "pairs.csv"); save_csv(points, "points.csv")

# ---- Clopper-Pearson ----------------------------------------------------------------------------------------
counts <- data.frame(successes = c(0, 5, 1, 242, 429, 214, 3, 0), total = c(5, 5, 1, 268, 475, 268, 1000, 1))
exact <- t(mapply(function(k, n) binom.test(k, n)$conf.int, counts$successes, counts$total))
save_csv(cbind(counts, low = exact[, 1], high = exact[, 2]), "proportions.csv")

# ---- clustered AUC: Obuchowski (1997), written from the definition with loops --------------------------------
kernel <- function(x, y) (x > y) + 0.5 * (x == y)
components <- function(label, score) {
  x <- score[label == 1]; y <- score[label == 0]
  psi <- outer(x, y, Vectorize(kernel))
  list(auc = mean(psi), v10 = rowMeans(psi), v01 = colMeans(psi))
}
clustered_covariance <- function(patient, label, a, b) {
  everyone <- unique(patient); with_x <- unique(patient[label == 1]); with_y <- unique(patient[label == 0])
  m <- sum(label == 1); n <- sum(label == 0)
  first <- components(label, a); second <- components(label, b)
  s10 <- s01 <- s11 <- s11_other <- 0
  for (who in everyone) {
    x <- patient[label == 1] == who; y <- patient[label == 0] == who
    xa <- sum(first$v10[x]) - sum(x) * first$auc; xb <- sum(second$v10[x]) - sum(x) * second$auc
    ya <- sum(first$v01[y]) - sum(y) * first$auc; yb <- sum(second$v01[y]) - sum(y) * second$auc
    s10 <- s10 + xa * xb; s01 <- s01 + ya * yb; s11 <- s11 + xa * yb; s11_other <- s11_other + xb * ya
  }
  i <- length(everyone); i10 <- length(with_x); i01 <- length(with_y)
  s10 <- s10 * i10 / ((i10 - 1) * m); s01 <- s01 * i01 / ((i01 - 1) * n)
  s11 <- s11 * i / (i - 1); s11_other <- s11_other * i / (i - 1)
  s10 / m + s01 / n + (s11 + s11_other) / (m * n)
}
tiny <- data.frame(set = "tiny", patient = c("a", "a", "a", "b", "b", "c", "d"), label = c(1, 1, 0, 1, 0, 0, 1),
  first = c(.9, .4, .3, .8, .5, .2, .6), second = c(.7, .7, .6, .5, .1, .5, .9))
size <- sample(1:4, 60, TRUE); patient <- rep(seq_along(size), size); effect <- rnorm(60)[patient]
label <- rbinom(length(patient), 1, plogis(0.8 * effect - 0.3))
larger <- data.frame(set = "larger", patient = paste0("p", patient), label = label,
  first = round(label + effect + rnorm(length(label)), 1), second = round(0.7 * label + effect + rnorm(length(label)), 1))
groups <- rbind(tiny, larger)
save_csv(groups, "clusters.csv")
save_csv(do.call(rbind, lapply(split(groups, groups$set), function(g) data.frame(set = g$set[1],
  auc_first = components(g$label, g$first)$auc, auc_second = components(g$label, g$second)$auc,
  variance_first = clustered_covariance(g$patient, g$label, g$first, g$first),
  variance_second = clustered_covariance(g$patient, g$label, g$second, g$second),
  covariance = clustered_covariance(g$patient, g$label, g$first, g$second)))), "clustered.csv")

writeLines(c(R.version.string, paste("pROC", packageVersion("pROC"))), "versions.txt")

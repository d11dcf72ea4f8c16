-- phpMyAdmin SQL Dump
-- version 4.8.5
-- https://www.phpmyadmin.net/
--
-- Host: localhost
-- Generation Time: 2026-11-20 09:15:02
-- 服务器版本： 5.6.50-log
-- PHP Version: 7.2.33

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
SET AUTOCOMMIT = 0;
START TRANSACTION;
SET time_zone = "+00:00";


/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;

--
-- Database: `wechat`
--

-- --------------------------------------------------------

--
-- 表的结构 `allinfo`
--

CREATE TABLE `allinfo` (
  `id` int(11) NOT NULL,
  `openid` varchar(64) COLLATE utf8mb4_unicode_ci NOT NULL DEFAULT '',
  `name` varchar(50) COLLATE utf8mb4_unicode_ci DEFAULT NULL COMMENT '姓名; 可空, (选填)',
  `phone` varchar(20) COLLATE utf8mb4_unicode_ci DEFAULT NULL,
  `due date` date DEFAULT NULL,
  `score` decimal(8,2) DEFAULT NULL
) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

--
-- 转存表中的数据 `allinfo`
--

INSERT INTO `allinfo` (`id`, `openid`, `name`, `phone`, `due date`, `score`) VALUES
(1, 'oTest00000000000000000000000', '林小燕', '13800000000', '2026-11-30', '-1.50'),
(2, 'oTest00000000000000000000001', 'O\'Brien; \\\\ \"x\"\n第二行', NULL, NULL, '12.00'),
(3, 'oTest00000000000000000000009', '吴（已离开）', '', NULL, NULL);

-- --------------------------------------------------------

--
-- 表的结构 `allinfo2`
--

CREATE TABLE `allinfo2` (
  `openid` varchar(64) COLLATE utf8mb4_unicode_ci NOT NULL,
  `name` varchar(50) COLLATE utf8mb4_unicode_ci DEFAULT NULL,
  `city` varchar(50) COLLATE utf8mb4_unicode_ci DEFAULT NULL,
  `bin` blob
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

--
-- 转存表中的数据 `allinfo2`
--

INSERT INTO `allinfo2` (`openid`, `name`, `city`, `bin`) VALUES
('oTest00000000000000000000000', '别名', '上海', 0x00ff),
('oTest00000000000000000000002', '何', '北京', NULL);

-- --------------------------------------------------------

--
-- 表的结构 `settings`
--

CREATE TABLE `settings` (
  `k` varchar(20) COLLATE utf8mb4_unicode_ci DEFAULT NULL,
  `v` text COLLATE utf8mb4_unicode_ci
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

--
-- 转存表中的数据 `settings`
--

INSERT INTO `settings` (`k`, `v`) VALUES
('title', 'a;b -- c /* d'),
('x', 'y');

--
-- 触发器 `settings`
--
DELIMITER $$
CREATE TRIGGER `t1` BEFORE INSERT ON `settings` FOR EACH ROW BEGIN SET NEW.v = CONCAT(NEW.v, ';'); END
$$
DELIMITER ;

--
-- Indexes for dumped tables
--

--
-- Indexes for table `allinfo`
--
ALTER TABLE `allinfo`
  ADD PRIMARY KEY (`id`),
  ADD UNIQUE KEY `openid` (`openid`);

--
-- 使用表AUTO_INCREMENT `allinfo`
--
ALTER TABLE `allinfo`
  MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=4;
COMMIT;

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
